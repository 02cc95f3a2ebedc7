"""Small algebras that the protocols' papers share."""
