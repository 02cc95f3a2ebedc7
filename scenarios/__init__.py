"""What is to happen: scenarios as frozen values, their strict decoding, and the shipped ones."""
