from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import contents

from cryopick_ray.errors import UsageError
from cryopick_ray.passes import votes as voting
from cryopick_ray.passes.votes import Vote, vote
from cryopick_ray.picks.reasons import Why, none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.write_table import write_table

SHAPE, PIXEL_A, DIAMETER_A = (400, 600), 2.0, 60.0
MICROGRAPHS = [
    PickedMicrograph(f"s{n % 2}/{n}.mrc", f"s{n % 2}", f"{n}.mrc", SHAPE, PIXEL_A, None, "complete", "")
    for n in (0, 2, 4, 1, 3)
]


@dataclass(frozen=True)
class Held:
    picks: dict

    def of(self, micrograph_ids):
        return {name: self.picks[name] for name in micrograph_ids if name in self.picks}


def found(seed, *, mean=12.0, jitter=0.0, base=None, keep=1.0):
    """Return one picker's picks: random ones, or those of another moved a little and thinned."""
    rng = np.random.default_rng(seed)
    picks = {}
    for one in MICROGRAPHS:
        if base is None:
            n = rng.poisson(mean)
            x, y = rng.uniform(0, SHAPE[1] - 1, n), rng.uniform(0, SHAPE[0] - 1, n)
        else:
            own = base.picks[one.micrograph_id]
            chosen = rng.random(len(own)) < keep
            x, y = (values[chosen] + rng.normal(0, jitter, chosen.sum()) for values in (own.x_px, own.y_px))
        score = rng.random(len(x)).astype(np.float32)
        made = MicrographPicks(one, np.float32(x), np.float32(y), score, none(len(x)), DIAMETER_A, model="m")
        picks[one.micrograph_id] = made.best_first()
    return Held(picks)


def sizes(*sources):
    return {one.micrograph_id: sum(len(s.picks[one.micrograph_id]) for s in sources) for one in MICROGRAPHS}


def table(tmp_path, name, how, **sources):
    done = vote(sources, MICROGRAPHS, sizes(*sources.values()), DIAMETER_A, tmp_path / name, how)
    return PickTable(tmp_path / name), done


def places(picks):
    return sorted(
        (one.micrograph.micrograph_id, x, y)
        for one in picks
        for x, y in zip(one.x_px[one.picked].tolist(), one.y_px[one.picked].tolist(), strict=True)
    )


@pytest.mark.parametrize("crowded", [True, False])
def test_of_equal_tables_the_consensus_is_the_table(tmp_path, crowded):
    a = found(0)
    for votes in (1, 2, 3, "weighted"):
        agreed, done = table(tmp_path, "t", Vote(votes, crowded=crowded), a=a, b=a, c=a)
        assert places(agreed) == places(a.picks.values())
        assert done.picks == done.groups
    assert all((one.more["votes"] == 3).all() for one in agreed if len(one))


def test_of_tables_that_share_nothing_one_vote_gives_the_union_and_two_nothing(tmp_path):
    a, far = found(0), found(1)
    apart = {name: replace(one, x_px=one.x_px + np.float32(10_000)) for name, one in far.picks.items()}
    b = Held(apart)
    union, _ = table(tmp_path, "one", Vote(1), a=a, b=b)
    assert places(union) == sorted(places(a.picks.values()) + places(b.picks.values()))
    nothing, done = table(tmp_path, "two", Vote(2), a=a, b=b)
    assert places(nothing) == []
    assert done.groups == sum(map(len, [*a.picks.values(), *apart.values()]))
    assert all((one.unpicked == Why.TOO_FEW_VOTES).all() for one in nothing)


@settings(max_examples=8, deadline=None)
@given(st.permutations(["a", "b", "c"]), st.integers(1, 60), st.sampled_from([1, 2, 3, "weighted"]))
def test_neither_order_nor_partitions_matter(tmp_path_factory, order, rows, votes):
    tmp_path = tmp_path_factory.mktemp("votes")
    a = found(0)
    all_of = {"a": a, "b": found(1, base=a, jitter=3, keep=0.8), "c": found(2, base=a, jitter=5, keep=0.7)}
    once, _ = table(tmp_path, "once", Vote(votes), **all_of)
    table(tmp_path, "order", Vote(votes), **{name: all_of[name] for name in order})
    assert contents(tmp_path / "order") == contents(tmp_path / "once")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voting, "PARTITION_PICKS", rows)
        parted, _ = table(tmp_path, "parts", Vote(votes), **all_of)
    for one, other in zip(once, parted, strict=True):
        assert np.array_equal(one.x_px, other.x_px)
        assert np.array_equal(one.score, other.score)
        assert np.array_equal(one.unpicked, other.unpicked)


def test_tables_on_disk_vote_as_those_in_memory_do_and_nothing_is_lost(tmp_path):
    a = found(0)
    all_of = {"a": a, "b": found(1, base=a, jitter=3, keep=0.8), "c": found(2)}
    for name, one in all_of.items():
        write_table(one.picks.values(), tmp_path / name)
    opened = {name: PickTable(tmp_path / name) for name in all_of}
    how = Vote(2)
    vote(opened, MICROGRAPHS, sizes(*all_of.values()), DIAMETER_A, tmp_path / "disk", how)
    _, done = table(tmp_path, "memory", how, **all_of)
    assert contents(tmp_path / "disk") == contents(tmp_path / "memory")
    counted = sum(int(one.more["votes"].sum()) for one in PickTable(tmp_path / "disk"))
    assert counted == sum(sizes(*all_of.values()).values())
    assert done.patterns.count.sum() >= done.groups - done.greedily


def test_what_a_picker_does_not_pick_has_no_vote(tmp_path):
    a = found(0)
    b = Held({name: one.marked(Why.ON_JUNK, np.ones(len(one), bool)) for name, one in a.picks.items()})
    agreed, _ = table(tmp_path, "t", Vote(2), a=a, b=b)
    assert places(agreed) == []
    assert all((one.more["source"] == "a").all() for one in agreed if len(one))


def test_what_pickers_know_goes_on_from_the_one_that_knows(tmp_path):
    a = found(0)
    known = {
        name: replace(one, more={"size_A": np.full(len(one), 55.0, np.float32)})
        for name, one in a.picks.items()
    }
    agreed, _ = table(tmp_path, "t", Vote(1), a=a, b=Held(known), c=found(3))
    for one in agreed:
        if len(one):
            has_b = np.char.find(one.more["source"].astype(str), "b") >= 0
            assert np.array_equal(np.isfinite(one.more["size_A"]), has_b)


@pytest.mark.parametrize("votes", [0, 4])
def test_more_votes_than_pickers_are_refused(tmp_path, votes):
    a = found(0)
    with pytest.raises(UsageError, match="give `votes` from 1 to 3"):
        table(tmp_path, "t", Vote(votes), a=a, b=a, c=a)


def test_who_has_not_seen_a_micrograph_says_nothing_about_it(tmp_path):
    a = found(0, mean=60)
    b, c = found(1, base=a, jitter=2, keep=0.9), found(2, base=a, jitter=2, keep=0.9)
    last = MICROGRAPHS[-1].micrograph_id
    fewer = Held({name: one for name, one in c.picks.items() if name != last})
    how = Vote("weighted")
    sources = {"a": a, "b": b, "c": fewer}
    done = vote(sources, MICROGRAPHS, sizes(a, b, c), DIAMETER_A, tmp_path / "fewer", how)
    assert done.reliability.recall is not None
    assert (done.reliability.recall > 0.8).all()
    one = PickTable(tmp_path / "fewer").of([last])[last]
    alone = one.more["source"] == "a+b"
    assert alone.any()
    assert one.picked[alone].all()
