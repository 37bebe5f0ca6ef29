"""Work in stages: done once, refused where it was begun otherwise, and a program of recipes killed anywhere goes on."""

import contextlib
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
import sacrebleu
from forked_python import launcher, server
from toy_language import sentence

from vaswani.data import CleaningLimits, Pair
from vaswani.data.cleaning import text_fault
from vaswani.data.line_breaks import in_one_line
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.run_folder import RunFolderError
from vaswani.experiment.stage_commands import Training, files_of_text, trained
from vaswani.experiment.stages import STAMP, Stages, as_flags, as_words, stages_in
from vaswani.plots import SystemPoint, draw_distillation
from vaswani.publishing import read_metrics, read_run
from vaswani.translation.loading import load_tokenizer

ROOT = Path(__file__).resolve().parents[1]
DISTILL, BACK, MULTI30K = (ROOT / "recipes" / f"{name}.py" for name in ("distill", "back_translation", "multi30k"))
SMALL = shlex.split(
    "--direction en-de --vocab_size 300 --d_model 16 --d_ff 32 --num_heads 2 --encoder_layers 2 --decoder_layers 1 "
    "--tokens_per_batch 512 --warmup_steps 5 --max_steps 20 --eval_steps 10 --save_steps 5 --logging_steps 10 "
    "--bf16 false --dataloader_num_workers 0 --report_to none --disable_tqdm true --average_checkpoints 2"
)


# --- the stages -------------------------------------------------------------------------------------------------------


def write(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "out").write_text(text)


def test_an_ended_stage_is_not_done_again_and_another_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, work = tmp_path / "source", tmp_path / "work"
    source.write_text("a")

    def all_of(first: str = "1", flags: int = 4) -> list[str]:
        with stages_in(work) as stages:
            one = stages.do("one", write(first), {"beams": flags}, {"source": source})
            two = stages.do("two", write("2"), {}, {"out": one / "out"})
        return [(each / "out").read_text() for each in (one, two)]

    assert all_of() == ["1", "2"]
    assert all_of("another") == ["1", "2"]
    assert capsys.readouterr().out.count("has ended before") == 2
    with pytest.raises(ValueError, match=rf"beams was 4 and is 5\. .* again: rm -r {work}/1-one {work}/2-two$"):
        all_of(flags=5)
    source.write_text("b")
    with pytest.raises(ValueError, match=r"source was sha256 ca978.* and is sha256 3e23e"):
        all_of()
    shutil.rmtree(work / "1-one")
    with pytest.raises(ValueError, match=rf"{work}/2-two was begun .*: out was .*: rm -r {work}/2-two$"):
        all_of("another")
    shutil.rmtree(work / "2-two")
    assert all_of() == ["another", "2"]


def test_a_stage_more_or_less_is_refused(tmp_path: Path) -> None:
    """It would have another number, and all behind it would be done again beside what is there."""
    for names in (["text", "pairs", "student"], ["text", "pairs"]):
        with stages_in(tmp_path / "out") as stages:
            for name in names:
                stages.do(name, lambda _: None, {})
    with stages_in(tmp_path / "out") as stages:
        stages.do("text", lambda _: None, {})
        with pytest.raises(RunFolderError, match=r"stage 2 was 2-pairs and is 2-reverse.*rm -r"):
            stages.do("reverse", lambda _: None, {})
    assert sorted(each.name for each in (tmp_path / "out").iterdir() if each.is_dir()) == [
        "1-text", "2-pairs", "3-student",
    ]  # fmt: skip


def test_a_stage_that_failed_goes_on_with_its_folder(tmp_path: Path) -> None:
    def failing(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise KeyError

    with pytest.raises(KeyError), stages_in(tmp_path / "work") as stages:
        stages.do("one", failing, {})
    with stages_in(tmp_path / "work") as stages:
        stages.do("one", lambda folder: (folder / "half").rename(folder / "whole"), {})
    assert json.loads((tmp_path / "work/1-one" / STAMP).read_text())["has_ended"]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    for folder, message in ((tmp_path, "do not belong to such work"), (tmp_path / "mine", "is a file")):
        with pytest.raises(ValueError, match=message), stages_in(folder):
            pass


def test_a_token_is_not_written_down(tmp_path: Path) -> None:
    flags = {"hub_token": ["hf_secret"], "max_steps": ["7"]}
    training = Training([sys.executable, "-c", "import sys; print(len(sys.argv))"], str(MULTI30K))
    with stages_in(tmp_path / "work") as stages:
        trained(stages, "run", training, flags, {}, {})
    stamp = (tmp_path / "work/1-run" / STAMP).read_text()
    assert "max_steps" in stamp
    assert "hf_secret" not in stamp


def test_a_command_that_fails_ends_with_its_code(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def run(stages: Stages) -> None:
        stages.do("one", lambda _: stages.run([sys.executable, "-c", "raise SystemExit(7)"]), {})

    with pytest.raises(SystemExit) as ended, stages_in(tmp_path / "work") as stages:
        run(stages)
    assert ended.value.code == 7
    assert "the same command as before goes on" in capfd.readouterr().err


def test_flags_by_name_are_words_again() -> None:
    words = ["--a", "1", "2", "--b=x", "--c-d", "--a", "3"]
    assert as_flags(words) == {"a": ["3"], "b": ["x"], "c_d": []}
    assert as_words(as_flags(words)) == ["--a", "3", "--b", "x", "--c_d"]


def test_the_picture_shows_every_system() -> None:
    points = [SystemPoint("teacher_$", 30.0, [10, 12, 11], 30.0), SystemPoint("student", 29.0, [100, 90, 95], 3.0)]
    figure = draw_distillation(points, "test")
    left, right = figure.axes
    rates, sizes = ([np.atleast_1d(line.get_xdata()).tolist() for line in axes.lines] for axes in (left, right))
    assert sizes == [[30.0], [3.0]]
    assert rates == [[10, 12], [11], [90, 100], [95]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["teacher_$", "student"]


# --- in processes of their own ----------------------------------------------------------------------------------------


class Programs:
    """Starts the written commands as processes that have imported everything; each lives in a folder of its own."""

    def __init__(self, server: psutil.Process, python: Path) -> None:
        self.server, self.python = server, python

    def start(self, where: Path, recipe: Path, *flags: object) -> subprocess.Popen[str]:
        where.mkdir(exist_ok=True)
        words = [self.python, recipe, "--recipe", MULTI30K, *flags, "--output_dir", "out", *SMALL]
        environment = os.environ | {"FORKED_PYTHON": str(self.python), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            list(map(str, words)), cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip

    def __call__(self, where: Path, recipe: Path, *flags: object, code: int = 0) -> str:
        process = self.start(where, recipe, *flags)
        said = process.communicate(timeout=400)[0]
        assert process.returncode == code, said[-4000:]
        return said

    def kill_all(self) -> None:
        """End the recipe and all that it started, as a power cut does."""
        while descendants := self.server.children(recursive=True):
            for each in descendants:
                with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended since
                    each.kill()
            psutil.wait_procs(descendants, timeout=20)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    python = launcher(tmp_path_factory.mktemp("programs"), environment)
    return Programs(psutil.Process(server(environment).number), python)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the toy language, packed, and one text of its target side."""
    folder, draw = tmp_path_factory.mktemp("text"), random.Random(7)
    for split, pairs in (("train", 200), ("validation", 10), ("test", 10), ("mono", 60)):
        sides = [list(side) for side in zip(*(sentence(draw) for _ in range(pairs)), strict=True)]
        if split == "train":  # references that are not the most probable translations
            sides[1] = [line.replace("rot", "grop") if place % 2 else line for place, line in enumerate(sides[1])]
        for language, lines in zip(("en", "de"), sides, strict=True):
            (folder / f"{split}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "mono.en").unlink()
    (folder / "mono.de").rename(folder.with_name("mono.de"))
    return folder


class Undisturbed(NamedTuple):
    """A program that nothing stopped."""

    where: Path
    flags: list[Any]
    said: str

    @property
    def out(self) -> Path:
        return self.where / "out"


def bytes_of(out: Path) -> dict[str, bytes | list[Any]]:
    """What must be the same however often it was killed: the files of text, weights and figures, without times."""
    found: dict[str, bytes | list[Any]] = {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
        and "checkpoint" not in str(path)
        and path.suffix in (".en", ".de", ".tsv", ".safetensors", ".bin")
    }
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return found | {"figures": [[each["scores"], each["parameters"]] for each in report.get("systems", [])]}


def kill_in_each_stage(programs: Programs, whole: Undisturbed, where: Path, recipe: Path) -> int:
    """Kill all that runs in each of the stages, at a drawn moment behind its beginning; return how many kills hit."""
    draw, kills = random.Random(5), 0
    names = sorted((each.name for each in whole.out.glob("*-*")), key=lambda name: int(name.partition("-")[0]))
    for name in names:
        process = programs.start(where, recipe, *whole.flags)
        stamp = where / "out" / name / STAMP
        end = time.monotonic() + 120
        while not stamp.exists() and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.002)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0, 0.6))  # any moment will do
        kills += process.poll() is None
        programs.kill_all()
        process.kill()
        process.communicate()
    programs(where, recipe, *whole.flags)
    return kills


F1 = ["--metric_for_best_model", "f1"]


# --- distillation -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def distilled(
    programs: Programs, toy_translator: Any, text: Path, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    model = toy_translator.folder
    flags = ["--teacher", model, "--reverse", model, "--n_best", "3", "--beams", "3", "--drop_worst", "0.1",
             "--data_dir", text, "--original", "2"]  # fmt: skip
    where = tmp_path_factory.mktemp("distilled")
    return Undisturbed(where, flags, programs(where, DISTILL, *flags))


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


@pytest.mark.slow
def test_the_student_learns_the_best_translations_without_the_worst_pairs(distilled: Undisturbed) -> None:
    out = distilled.out
    rows = [line.split("\t") for line in lines(out / "2-translations/train.tsv")]
    references = lines(out / "1-text/train.de")
    best: list[str] = []
    for number, reference in enumerate(references, 1):
        texts = [row[3] for row in rows if int(row[0]) == number]
        assert len(texts) == 3
        best.append(max(texts, key=lambda each: sacrebleu.sentence_bleu(each, [reference]).score))
    assert lines(out / "3-best/train.de") == best
    assert best != [row[3] for row in rows if row[1] == "1"]
    losses = [float(row.split("\t")[2]) for row in lines(out / "4-reverse/scores.tsv")]
    order = sorted(range(len(best)), key=lambda place: (losses[place], place))
    kept = sorted(order[: len(best) - len(best) // 10])
    sources = lines(out / "1-text/train.en")
    assert lines(out / "5-pairs/train.en") == [sources[place] for place in kept]
    assert lines(out / "5-pairs/train.de") == [best[place] for place in kept]
    assert (out / "5-pairs/test.de").read_bytes() == (out / "1-text/test.de").read_bytes()
    run = read_run(out / "6-student/run")
    assert (run.model.encoder_layers, run.model.d_model, run.data.data_dir) == (2, 16, "out/5-pairs")
    assert (run.data.extra_dirs, run.data.weights) == (("out/1-text",), (1, 2))


@pytest.mark.slow
def test_the_report_shows_what_was_measured(distilled: Undisturbed, toy_translator: Any) -> None:
    report = json.loads((distilled.out / "report.json").read_text(encoding="utf-8"))
    teacher, *_, student = report["systems"]
    assert [each["name"] for each in report["systems"]] == [
        "teacher", "teacher", "teacher, 8 bits", "student", "student, 8 bits"
    ]  # fmt: skip
    assert teacher["parameters"] == toy_translator.model.num_parameters()
    translations = toy_translator_beams(toy_translator, lines(distilled.out / "1-text/test.en"))
    bleu = sacrebleu.corpus_bleu(translations, [lines(distilled.out / "1-text/test.de")]).score
    assert teacher["scores"]["test"]["sacrebleu"] == pytest.approx(bleu)
    assert len(student["sentences_a_second"]) == 3
    binary = (distilled.out / "7-student_in_8_bits/int8/model.bin").stat().st_size
    assert binary / 1e6 < student["megabytes"] < binary / 1e6 + 0.1
    assert report["pairs"] == {"given": 200, "taught": 180}
    assert report["student"]["parameters"] == read_metrics(distilled.out / "6-student/run").parameters
    page = (distilled.out / "report.md").read_text(encoding="utf-8")
    assert page.strip() in distilled.said
    assert "learned from 180 pairs, without the 10.0% to which" in page
    assert "gives the highest cross-entropy and 2 times the original ones." in page
    for picture in ("distillation.png", "distillation.svg"):
        assert (distilled.out / picture).stat().st_size > 5000


def toy_translator_beams(toy: Any, sources: list[str]) -> list[str]:
    from vaswani.translation.translate import translate

    return translate(toy.model, toy.tokenizer, sources)


@pytest.mark.slow
def test_two_teachers_are_one_and_their_first_translation_is_taught_as_it_is(
    programs: Programs, toy_translator: Any, text: Path, tmp_path: Path
) -> None:
    model = toy_translator.folder
    programs(tmp_path, DISTILL, "--teacher", model, model, "--n_best", "1", "--data_dir", text)
    sources = lines(tmp_path / "out/1-text/train.en")
    assert lines(tmp_path / "out/3-pairs/train.en") == sources
    assert lines(tmp_path / "out/3-pairs/train.de") == toy_translator_beams(toy_translator, sources)
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in report["systems"]] == ["teacher", "student", "student, 8 bits"]
    assert report["systems"][0]["parameters"] == 2 * toy_translator.model.num_parameters()


@pytest.mark.slow
def test_a_teacher_translates_by_another_engine(
    programs: Programs, toy_translator: Any, text: Path, tmp_path: Path
) -> None:
    flags = ["--teacher", toy_translator.folder, "--teacher_engine", "ctranslate2", "--n_best", "1"]
    programs(tmp_path, DISTILL, *flags, "--data_dir", text)
    assert (tmp_path / "out/2-teacher_exported/float32/model.bin").is_file()
    sources = lines(tmp_path / "out/1-text/train.en")
    assert lines(tmp_path / "out/3-translations/train.de") == toy_translator_beams(toy_translator, sources)


@pytest.mark.slow
def test_killed_in_each_stage_it_comes_to_the_same(programs: Programs, distilled: Undisturbed, tmp_path: Path) -> None:
    assert kill_in_each_stage(programs, distilled, tmp_path / "killed", DISTILL) >= 7
    assert bytes_of(tmp_path / "killed/out") == bytes_of(distilled.out)


@pytest.mark.slow
def test_a_stage_whose_starter_was_killed_is_waited_for(
    programs: Programs, distilled: Undisturbed, tmp_path: Path
) -> None:
    where = tmp_path / "killed"
    process = programs.start(where, DISTILL, *distilled.flags)
    run = where / "out/6-student/run/run.lock"
    while not run.exists():
        assert process.poll() is None
        time.sleep(0.002)
    starter = next(each for each in programs.server.children() for each in each.children())  # not what answers
    starter.kill()
    process.wait()
    said = programs(where, DISTILL, *distilled.flags)
    assert "Another process works in out" in said
    assert bytes_of(where / "out") == bytes_of(distilled.out)


@pytest.mark.slow
def test_other_flags_and_texts_are_refused_and_nothing_is_lost(
    programs: Programs, distilled: Undisturbed, text: Path
) -> None:
    before = bytes_of(distilled.out)
    said = programs(distilled.where, DISTILL, *distilled.flags)
    assert said.count("has ended before") == 9
    said = programs(distilled.where, DISTILL, *distilled.flags, "--choose_by", "chrf", code=2)
    assert "out/3-best was begun with other flags or inputs: choose_by was bleu and is chrf" in said
    assert "rm -r out/3-best out/4-reverse out/5-pairs" in said
    said = programs(distilled.where, DISTILL, *distilled.flags, "--seed", "9", code=2)
    assert "out/6-student was begun with other flags or inputs: seed was None and is ['9']" in said
    train = (text / "train.en").read_bytes()
    (text / "train.en").write_bytes(train + b"more\n")
    try:
        said = programs(distilled.where, DISTILL, *distilled.flags, code=2)
    finally:
        (text / "train.en").write_bytes(train)
    assert "out/1-text was begun with other flags or inputs: text 1: train.en was sha256" in said
    assert bytes_of(distilled.out) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe", MULTI30K], "say who teaches: --teacher MODEL"),
        (["--teacher", "x"], "say which recipe the student's run is of: --recipe FILE"),
        (["--recipe", MULTI30K, "--teacher", "x", "--resume", "true"], "--resume cannot be used here"),
        (
            ["--recipe", MULTI30K, "--teacher", "x", "y", "--teacher_engine", "ctranslate2"],
            "2 teachers are averaged by torch only; leave out --teacher_engine ctranslate2",
        ),
        (["--recipe", MULTI30K, "--teacher", "x", "--direction", "en-trees", *F1], "trees have no sentence BLEU"),
        (
            ["--recipe", MULTI30K, "--teacher", "x", "--beams", "7"],
            "7 beams give no 8 translations of a line; give --beams 8 or more, or a lower --n_best",
        ),
    ],
)
def test_what_cannot_be_distilled_is_refused(
    flags: list[Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from vaswani.commands.recipe import read_recipe
    from vaswani.experiment.distillation import options

    with pytest.raises(SystemExit):
        options(list(map(str, flags)), "", read_recipe)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "beams"), [([], 8), (["--n_best", "3"], 4), (["--n_best", "1", "--beams", "1"], 1), (["--beams", "9"], 9)]
)
def test_the_teacher_searches_with_as_many_beams_as_its_translations_take(flags: list[str], beams: int) -> None:
    from vaswani.commands.recipe import read_recipe
    from vaswani.experiment.distillation import options

    assert options(["--recipe", str(MULTI30K), "--teacher", "x", *flags], "", read_recipe).beams == beams


# --- back-translation -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def translated_back(
    programs: Programs, toy_translator: Any, text: Path, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    mono = text.with_name("mono.de")
    flags = [
        "--reverse", toy_translator.folder, "--monolingual", mono, "--sample", "--mix", "2", "1", "--last_steps", "10",
        "--data_dir", text,
    ]  # fmt: skip
    where = tmp_path_factory.mktemp("back")
    return Undisturbed(where, flags, programs(where, BACK, *flags))


def fault(pair: Pair) -> str | None:
    return text_fault(Pair(*map(in_one_line, pair)), CleaningLimits())


@pytest.mark.slow
def test_synthetic_pairs_are_tagged_mixed_and_left_again(translated_back: Undisturbed, text: Path) -> None:
    out = translated_back.out
    synthetic, targets = lines(out / "2-pairs/train.en"), lines(out / "2-pairs/train.de")
    translations, mono = lines(out / "1-translations/train.en"), lines(text.with_name("mono.de"))
    every = [Pair(*each) for each in zip(translations, mono, strict=True)]
    kept = dict.fromkeys(each for each in every if fault(each) is None)  # some are blank
    assert list(zip(synthetic, targets, strict=True)) == [(f"<BT> {source}", target) for source, target in kept]
    mixed, last, none = (read_run(out / f"{name}/run") for name in ("3-mixed", "4-last", "5-none"))
    assert (list(mixed.data.weights), list(mixed.data.extra_dirs)) == ([2, 1], ["out/2-pairs"])
    assert (list(last.data.extra_dirs), last.parent and last.parent.given) == ([], "out/3-mixed/run")
    assert [each.training.max_steps for each in (mixed, last, none)] == [20, 10, 30]
    tokenizer = load_tokenizer(out / "4-last/run")
    assert "<BT>" in tokenizer.tokenize("<BT> the cat")
    assert "<BT>" not in load_tokenizer(out / "5-none/run").get_vocab()
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert list(report["runs"]) == ["the original alone", "original and synthetic", "then the original alone"]
    for name, folder in zip(report["runs"], ("5-none", "3-mixed", "4-last"), strict=True):
        metrics = read_metrics(out / folder / "run")
        assert report["runs"][name]["test"]["test"]["sacrebleu"]["value"] == metrics.test["test"]["sacrebleu"].value
        assert f"| {name} | {metrics.steps} |" in (out / "report.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_back_translation_killed_in_each_stage_comes_to_the_same(
    programs: Programs, translated_back: Undisturbed, tmp_path: Path
) -> None:
    assert kill_in_each_stage(programs, translated_back, tmp_path / "killed", BACK) >= 4
    assert bytes_of(tmp_path / "killed/out") == bytes_of(translated_back.out)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "say who translates back: --reverse MODEL"),
        (["--reverse", "x"], "say what is translated back: --monolingual FILE"),
        (["--reverse", "x", "--monolingual", "nowhere"], "--monolingual nowhere is not a file"),
        (["--reverse", "x", "--monolingual", MULTI30K, "--init_from", "y"], "--init_from cannot be used here"),
        (
            ["--reverse", "x", "--monolingual", MULTI30K, "--mix", "0", "1"],
            "argument --mix: 0 is out of range; give at least 1",
        ),
        (["--reverse", "x", "--monolingual", MULTI30K, "--tag", "a b"], "user_tokens"),
    ],
)
def test_what_cannot_be_translated_back_is_refused(
    flags: list[Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from vaswani.commands.recipe import read_recipe
    from vaswani.experiment.back_translation import options

    with pytest.raises(SystemExit):
        options(["--recipe", str(MULTI30K), *map(str, flags)], "", read_recipe)
    assert message in capsys.readouterr().err


# --- the text that stages are made of ---------------------------------------------------------------------------------


def test_text_in_folders_of_splits_is_a_part_of_a_stage(tmp_path: Path) -> None:
    """A folder that a run does not read, such as that of the stages themselves, is none."""
    for name in ("train/a.tsv", "data/validation-00000-of-00001.parquet", "test.tsv", "runs/report.json", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("en\tde\na\tb\n", encoding="utf-8")
    found = files_of_text(DataArguments(data_dir=str(tmp_path), direction="en-de"))
    assert sorted(found) == [
        "text 1: data/validation-00000-of-00001.parquet", "text 1: notes.md", "text 1: test.tsv", "text 1: train/a.tsv",
    ]  # fmt: skip
    assert found["text 1: train/a.tsv"] == tmp_path / "train/a.tsv"
