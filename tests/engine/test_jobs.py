"""Whatever happens to workers, every item of a run counts once."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit_queue import UnitQueue
from cryopick_ray.engine.unit_rules import cut


@dataclass(frozen=True)
class Item:
    micrograph_id: str


def jobs_of(names, size):
    jobs = UnitQueue(["work"])
    jobs.add("work", cut([Item(name) for name in names], size))
    return jobs


class Simulation:
    """Workers that take jobs of a run and end them, drop them, leave them or die under them."""

    def __init__(self, items, size):
        self.jobs = jobs_of(map(str, range(items)), size)
        self.held = []
        self.counted = Counter()

    def step(self, event, pick):
        if event == "take" and self.jobs.waiting:
            self.held.append(self.jobs.take())
        if not self.held:
            return
        job = self.held[pick % len(self.held)]
        if event == "copy" and job.is_alone:
            self.jobs.copy(job)
            self.held.append(job)
        elif event in ("end", "leave", "drop", "die"):
            self.held.remove(job)
            self.close(event, job, pick)

    def close(self, event, job, pick):
        size = len(job.unit.items)
        if event == "drop":
            self.jobs.put_back(job)
        elif event == "die":
            self.jobs.blame(job, "why")
        else:
            done = size if event == "end" or job.reason else pick % size
            report = UnitReport(done, undone=tuple(range(done, size)))
            if self.jobs.end(job, report) is not None:
                self.counted.update(item.micrograph_id for item in job.unit.items[:done])

    def finish(self):
        while self.held:
            self.step("end", 0)
        while self.jobs.waiting:
            self.step("take", 0)
            self.step("end", 0)


@given(
    items=st.integers(0, 12),
    size=st.integers(1, 5),
    events=st.lists(
        st.tuples(st.sampled_from(["take", "copy", "end", "leave", "drop", "die"]), st.integers(0, 7)),
        max_size=60,
    ),
)
def test_every_item_counts_once_whatever_happens(items, size, events):
    run = Simulation(items, size)
    for event, pick in events:
        run.step(event, pick)
        assert run.jobs.waiting <= run.jobs.unfinished
        assert (run.jobs.unfinished == 0) == (sum(run.counted.values()) == items)
    run.finish()
    assert run.jobs.unfinished == run.jobs.waiting == 0
    assert run.counted == Counter(str(number) for number in range(items))


def test_suspects_wait_behind_all_others_and_come_alone_after_a_second_death():
    jobs = jobs_of("abcd", 2)
    first = jobs.take()
    jobs.blame(first, "why")
    assert jobs.take().unit.items == (Item("c"), Item("d"))
    assert jobs.take() is first
    jobs.blame(first, "why")
    assert [jobs.take().unit.items for _ in range(2)] == [(Item("a"),), (Item("b"),)]


def test_an_item_that_kills_twice_alone_is_given_up_with_the_reason():
    jobs = jobs_of("a", 1)
    assert jobs.blame(jobs.take(), "memory") == ""
    assert jobs.blame(jobs.take(), "memory") == "given up: a: it killed its worker twice (memory)"
    assert jobs.take().reason == "it killed its worker twice (memory)"


def test_what_was_begun_is_brought_to_its_end_first():
    jobs = UnitQueue(["ingest", "pick"])
    jobs.add("ingest", cut([Item("a"), Item("b")], 1))
    first = jobs.take()
    jobs.add("pick", cut([Item("a")], 1))
    jobs.give_up("ingest", cut([Item("c")], 1)[0], "gone")
    assert [(one.kind, one.reason) for one in (first, jobs.take(), jobs.take(), jobs.take())] == [
        ("ingest", ""),
        ("ingest", "gone"),
        ("pick", ""),
        ("ingest", ""),
    ]
