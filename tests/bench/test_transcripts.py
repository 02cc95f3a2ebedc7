"""Stories of Raft that a person can read, played without a simulator and compared with what was kept, byte for byte.

AFTERSHOCK_REGENERATE=1 python -m pytest tests/bench/test_transcripts.py writes them anew.
"""

from __future__ import annotations

from bench.node import Answer, Command, Refusal, Span
from bench.protocols.raft import Appended, AppendEntries, Parameters, RequestVote, Role, Vote
from tests.bench.transcript import Transcript, message

THREE, FIVE = ("n1", "n2", "n3"), ("n1", "n2", "n3", "n4", "n5")


def write(value: int) -> Command:
    return Command("write", "x", value)


def elect(story: Transcript, candidate: str, voters: tuple[str, ...]) -> None:
    """A campaign of which only these hear."""
    story.ring(candidate, "election")
    for other in story.cluster.ids:
        if other != candidate and other not in voters:
            story.lose(RequestVote, candidate, other)
    for voter in voters:
        story.deliver(RequestVote, candidate, voter)
    for voter in voters:
        story.deliver(Vote, voter, candidate)


def test_a_split_vote_is_settled_by_the_next_term() -> None:
    story = Transcript("An election with a split vote (§5.2)", THREE)
    story.say("n1 and n2 stand in the same term, and each has voted for itself. n3 is with neither.")
    story.ring("n1", "election")
    story.ring("n2", "election")
    story.lose(RequestVote, "n1", "n3")
    story.lose(RequestVote, "n2", "n3")
    story.settle()
    story.say("Nobody has a majority. n2's timer is the shorter one this time.")
    story.ring("n2", "election")
    story.deliver(RequestVote, "n2", "n3")
    story.say("n3's vote makes n2 the leader; n1 hears of the new term from its rival's request, and votes too.")
    story.deliver(Vote, "n3", "n2")
    story.settle()
    assert story.raft("n2").commit_index == 1
    story.check("split-vote")


def test_a_lagging_follower_is_backed_up_to_where_the_logs_agree() -> None:
    story = Transcript("A follower that missed a term is backed up, and what only it had is replaced (§5.3)", THREE)
    story.say("n1 leads term 1. Everybody has its no-op, and n1 alone has two writes more.")
    elect(story, "n1", ("n2",))
    story.settle()
    for sequence, value in ((1, 10), (2, 20)):
        story.ask("c1", sequence, write(value), "n1")
        story.lose(AppendEntries, "n1", "n2")
        story.lose(AppendEntries, "n1", "n3")
    story.say("n2 leads term 2 and commits a write of its own with n3.")
    elect(story, "n2", ("n3",))
    story.lose(AppendEntries, "n2", "n1")
    story.settle()
    story.ask("c2", 1, write(30), "n2")
    story.lose(AppendEntries, "n2", "n1")
    story.settle()
    story.say("n1 hears of n2. Its log does not match at slot 3, nor at its first of term 1: one refusal for the term.")
    story.ring("n2", "heartbeat")
    story.settle()
    assert story.raft("n1").log == story.raft("n2").log == story.raft("n3").log
    assert not [answer for answer in story.cluster.answers if answer.to == "c1" and isinstance(answer.message, Answer)]
    story.check("lagging-follower")


def test_an_entry_of_an_earlier_term_is_not_committed_by_counting_copies() -> None:
    one_at_a_time = Parameters(entries_max=1)
    story = Transcript("Figure 8: copies of an earlier term's entry do not commit it (§5.4.2)", FIVE, one_at_a_time)
    story.say("(a) n1 leads term 1. Everybody has its no-op; of its next entry only n2 hears.")
    elect(story, "n1", ("n2", "n3"))
    for other in ("n2", "n3", "n4", "n5"):
        story.deliver(AppendEntries, "n1", other)
        story.deliver(Appended, other, "n1")
    story.ask("c1", 1, write(2), "n1")
    story.deliver(AppendEntries, "n1", "n2")
    story.lose_all("n1")
    story.say("(b) n1 crashes. n5 leads term 2 with the votes of n3 and n4, and nobody hears of its entry.")
    story.restart("n1")
    elect(story, "n5", ("n3", "n4"))
    story.lose_all("n5")
    story.say("(c) n5 crashes. n1 leads term 3 with the votes of n2 and n3, and gives n3 the entry of term 1.")
    story.restart("n5")
    story.ring("n1", "election")  # in term 2, where n3 and n4 have voted already
    story.lose_all("n1")
    elect(story, "n1", ("n2", "n3"))
    story.deliver(AppendEntries, "n1", "n2")
    story.deliver(Appended, "n2", "n1")
    story.deliver(AppendEntries, "n1", "n3")
    story.deliver(Appended, "n3", "n1")
    story.deliver(AppendEntries, "n1", "n3")
    story.deliver(Appended, "n3", "n1")
    leader = story.raft("n1")
    assert [leader.progress[other].match for other in ("n2", "n3", "n4", "n5")] == [3, 2, 0, 0]  # itself: 3
    assert leader.commit_index == 0
    story.say(
        "Slot 2 is on n1, n2 and n3, and is not committed: rightly, for (d) n5 can still lead, and overwrites it."
    )
    story.lose_all("n1")
    story.ring("n5", "election")  # in term 3, where n3 has voted already
    story.lose_all("n5")
    elect(story, "n5", ("n2", "n3", "n4"))
    story.lose(AppendEntries, "n5", "n1")
    story.settle()
    assert story.raft("n5").commit_index == 3
    assert story.raft("n3").log == story.raft("n5").log
    assert story.raft("n1").log != story.raft("n5").log
    story.check("figure-8")


def test_a_leader_that_nobody_answers_steps_down_and_somebody_else_is_elected() -> None:
    two_heartbeats = Parameters(heartbeat=Span.constant(150_000))  # half of the longest election timeout
    story = Transcript("A leader that is heard but hears nobody steps down (thesis §6.2)", THREE, two_heartbeats)
    story.say("n1 leads. With every second heartbeat it looks whether a majority has answered since.")
    elect(story, "n1", ("n2",))
    story.settle()
    for heartbeat in range(3):
        if heartbeat == 1:
            story.say("From here on everybody hears n1, and it hears nobody. It looks, and has the answers of before.")
        story.ring("n1", "heartbeat")
        for other in ("n2", "n3"):
            story.deliver(AppendEntries, "n1", other)
            if heartbeat:
                story.lose(Appended, other, "n1")
        story.settle()
    assert story.raft("n1").role is Role.LEADER
    story.say("When it looks again there were none: it sends no more heartbeats, and has no hint for its clients.")
    story.ring("n1", "heartbeat")
    assert story.raft("n1").role is Role.FOLLOWER
    assert story.raft("n1").leader is None
    story.ask("c1", 1, write(10), "n1")
    assert story.cluster.timers["n1"] == {"election"}
    assert story.cluster.answers[-1].message == Refusal(1)
    story.say("So n2 hears from no leader, and stands.")
    story.ring("n2", "election")
    story.settle()
    assert story.raft("n2").role is Role.LEADER
    assert story.raft("n2").commit_index == 2
    story.check("deaf-leader")


def test_a_retried_operation_is_answered_again_and_applied_once() -> None:
    story = Transcript("A session asks twice: one entry takes effect, and both are answered alike (§8)", THREE)
    elect(story, "n1", ("n2",))
    story.settle()
    story.say("The first request is in the log when the second comes: both are, but only the first takes effect.")
    cas = Command("cas", "x", (None, 1))
    story.ask("c1", 1, cas, "n1")
    story.ask("c1", 1, cas, "n1")
    story.settle()
    story.say("A third, when the operation is long done: answered from the table, and not logged.")
    story.ask("c1", 1, cas, "n1")
    assert [message(answer.message) for answer in story.cluster.answers] == ["Answer #1 (None, 1), done"] * 3
    story.say("The session goes on; then a copy of its first request arrives, late, and is ignored.")
    story.ask("c1", 2, write(2), "n1")
    story.settle()
    story.ask("c1", 1, cas, "n1")
    assert story.raft("n1").machine.store.read("x") == 2
    assert len(story.cluster.answers) == 4
    story.check("retried-operation")
