"""Rows out of turn: updates that go back are damage, and what comes after a checkpoint is no row of it."""

from __future__ import annotations

import pytest
from small_runs import further, killed, start, timeless

from hornbook import RunFolderError


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl"])
def test_rows_that_stand_twice_are_damaged(tmp_path, name):
    run, told = start(tmp_path / "a", validation=0.2), []
    path, whole = run.folder / name, timeless(run)
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(rows[: len(rows) // 2] + rows))
    with pytest.raises(RunFolderError, match=rf"{name} is damaged .*, in row {len(rows) // 2 + 1}: its upda"):
        _ = run.metrics, run.samples
    further(run.folder, told=told.append)
    assert [sentence.startswith(f"{path} is damaged") for sentence in told] == [True]
    path.write_text("".join(rows + rows[:2]))
    assert timeless(further(run.folder, force=True, told=pytest.fail)) == whole


def test_rows_after_the_checkpoint_do_not_stand_for_lost_ones_before_it(tmp_path):
    run, told = killed(tmp_path / "a", 10, 25), []
    path = run.folder / "metrics.jsonl"
    rows = path.read_text().splitlines(keepends=True)
    assert [row["update"] for row in run.metrics][:4] == [3, 6, 9, 12]
    path.write_text("".join(rows[:1] + rows[2:]))
    with pytest.raises(RunFolderError, match="in row 3: it was written after the checkpoint, so that rows b"):
        further(run.folder)
    again = further(run.folder, force=True, told=told.append)
    assert [row["update"] for row in again.metrics][:4] == [3, 9, 12, 15]
    assert ["going on with 2 rows; what is left of it is kept as metri" in line for line in told] == [True]
