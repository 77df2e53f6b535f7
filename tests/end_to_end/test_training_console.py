"""What a training prints: epochs, losses, steps."""

import time

from cli.console import ConsoleEvents
from cryopick_ray.training.loop.loop import Epoch


def test_the_lowest_validation_loss_is_marked_and_no_other(capsys):
    with ConsoleEvents() as events:
        # the last is of another training, whose micrographs are all learned from
        for number, validation in ((1, 0.5), (2, 0.6), (3, 0.4), (1, None)):
            events.epoch(Epoch(number, 0.1, validation, 1e-3, 1.0, 100, 1))
    lines = capsys.readouterr().err.splitlines()
    assert [line.endswith("lowest") for line in lines] == [True, False, True, False]
    assert "validation" not in lines[3]


def test_steps_of_an_epoch_are_told_now_and_then_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter(range(1000, 2000, 4))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with ConsoleEvents() as events:
        for step in range(1, 9):
            events.steps(1, step, 8)
        events.epoch(Epoch(1, 0.1, None, 1e-3, 1.0, 100, 1))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "epoch 1: 1 of 8 steps"
    assert 2 <= len(lines) - 1 < 8  # the last one is the epoch's own
    assert all(line.startswith("epoch 1: ") for line in lines[:-1])
