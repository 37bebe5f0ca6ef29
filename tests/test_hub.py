"""From training to the Hub and back, by the real clients in processes of their own, over a Hub on loopback.

The story: twenty steps on a streamed `wmt/wmt14`, pushed at each save and at the end; loaded, translated, fine-tuned by
the stock trainer and pushed again where this package cannot be imported; and loaded at both revisions.
"""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from loopback_registry import Registry, faults_of_card
from safetensors.torch import load
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from vaswani.commands import main
from vaswani.publishing import Target, hide_tokens, model_card, read_records
from vaswani.publishing.hub import PublishingError, _one_line_error
from vaswani.publishing.metrics_record import FoundRecord, OverlapRecord
from vaswani.publishing.secrets import hide_in_command, without_folders

Done = subprocess.CompletedProcess[str]
ROOT = Path(__file__).resolve().parents[1]
ANN, BEN, READER, WRONG = (
    "hf_annWriteTokenOfTests",
    "hf_benWriteTokenOfTests",
    "hf_readTokenOfTests",
    "hf_wrongTokenOfTests",
)
NAME = "ann/tiny-en-de"
WORDS = {"red": "rot", "cat": "Katze", "dog": "Hund", "house": "Haus", "sees": "sieht", "likes": "mag", "big": "groß"}
CARD = """---
configs:
- config_name: de-en
  data_files:
  - {split: train, path: de-en/train-*}
  - {split: validation, path: de-en/validation-*}
  - {split: test, path: de-en/test-*}
---
"""
TINY = {
    "vocab_size": 290,
    "d_model": 16,
    "d_ff": 32,
    "num_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "tokens_per_batch": 256,
    "batches_per_step": 2,
    "streams": 1,
    "max_steps": 20,
    "warmup_steps": 10,
    "eval_steps": 10,
    "save_steps": 10,
    "logging_steps": 10,
    "average_checkpoints": 1,
    "dataloader_num_workers": 0,
    "report_to": "none",
}


def wmt14(folder: Path) -> Path:
    """Write a data set in the layout of wmt/wmt14 on the Hub."""
    draw = random.Random(4)
    (folder / "de-en").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    for split, shards, rows in (("train", 2, 400), ("validation", 1, 12), ("test", 1, 12)):
        for shard in range(shards):
            chosen = [draw.choices(list(WORDS), k=draw.randint(3, 8)) for _ in range(rows)]
            pairs = [{"de": " ".join(WORDS[word] for word in words), "en": " ".join(words)} for words in chosen]
            path = folder / "de-en" / f"{split}-{shard:05}-of-{shards:05}.parquet"
            pq.write_table(pa.table({"translation": pairs}), path, row_group_size=100)
    return folder


class World(NamedTuple):
    """A Hub, where runs lie, and how to start a process that knows both."""

    hub: Registry
    folder: Path

    def start(self, *command: str | Path, token: str | None = ANN, **more: str) -> Done:
        """Run Python with what follows; a home of its own, so that nothing is found in a cache by luck."""
        hidden = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_MODULES_CACHE", "HF_HUB_OFFLINE")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        home = self.folder / f"home-{sum(1 for _ in self.folder.glob('home-*'))}"
        home.mkdir()
        environment |= {
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(home),
            "NO_PROXY": "127.0.0.1,localhost",
            "OMP_NUM_THREADS": "1",
            **({"HF_TOKEN": token} if token else {}),
            **more,
        }
        done = subprocess.run(
            [sys.executable, *map(str, command)], env=environment, cwd=home, capture_output=True, text=True, check=False
        )
        for secret in (ANN, BEN, READER, WRONG):
            assert secret not in done.stdout + done.stderr
        return done

    def push(self, run: Path, *words: str, token: str | None = ANN, **more: str) -> Done:
        """Call `vaswani push`."""
        call = "import sys; from vaswani.commands import main; sys.exit(main(['push', *sys.argv[1:]]))"
        return self.start("-c", call, run, *words, token=token, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with Registry({ANN: "ann", BEN: "ben", READER: "ann"}) as hub:
        hub.add_dataset("wmt/wmt14", wmt14(folder / "wmt14"))
        yield World(hub, folder)


@pytest.fixture(scope="module")
def trained(world: World) -> tuple[Path, Done]:
    """Twenty steps with --push_to_hub at each save; the token comes by the flag, the worst way."""
    flags = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]
    flags += ["--push_to_hub", "--hub_model_id", NAME, "--hub_strategy", "checkpoint", "--hub_always_push"]
    flags += ["--hub_token", ANN, "--hub_license", "cc-by-4.0", "--output_dir", str(world.folder / "run")]
    flags += ["--push_native", "beside"]
    done = world.start(ROOT / "recipes" / "wmt14_base.py", *flags, token=None)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return world.folder / "run", done


ELSEWHERE = """
import json, re, sys
sys.modules["vaswani"] = None  # importing it fails from here on
import torch
from transformers import (AutoConfig, AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq,
                          Seq2SeqTrainer, Seq2SeqTrainingArguments, pipeline)
from huggingface_hub import HfApi, ModelCard
name, folder = sys.argv[1:]
old = HfApi().model_info(name).sha
trust = {"trust_remote_code": True}
assert AutoConfig.from_pretrained(name, **trust).d_model == 16
assert type(AutoModel.from_pretrained(name, **trust)).__name__ == "VaswaniModel"
tokenizer = AutoTokenizer.from_pretrained(name, **trust)
model = AutoModelForSeq2SeqLM.from_pretrained(name, **trust)
ids = tokenizer("the red cat", return_tensors="pt").input_ids
logits = lambda model: model.eval()(ids, decoder_input_ids=ids).logits.detach()
before = logits(model)
text = pipeline("translation", model=name, **trust)("red cat sees house")[0]["translation_text"]
snippets = re.findall(r"```python\\n(.*?)```", ModelCard.load(name).text, re.DOTALL)
for snippet in snippets:
    exec(snippet, {})

rows = [{"input_ids": tokenizer(a).input_ids, "labels": tokenizer(b).input_ids}
        for a, b in [("red cat", "rot Katze"), ("big dog sees", "groß Hund sieht")] * 8]
arguments = Seq2SeqTrainingArguments(folder, max_steps=4, per_device_train_batch_size=4, learning_rate=1e-2,
                                     report_to=[], use_cpu=True, save_strategy="no", predict_with_generate=True,
                                     eval_strategy="steps", eval_steps=4, generation_max_length=12)
trainer = Seq2SeqTrainer(model, arguments, train_dataset=rows, eval_dataset=rows[:2], processing_class=tokenizer,
                         data_collator=DataCollatorForSeq2Seq(tokenizer, model))
trainer.train()
trainer.save_model(folder)
tuned = logits(trainer.model)
assert not torch.equal(tuned, before)
saved = AutoModelForSeq2SeqLM.from_pretrained(folder, **trust)
assert torch.equal(logits(saved), tuned)
saved.push_to_hub(name)
assert HfApi().model_info(name).sha != old
assert torch.equal(logits(AutoModelForSeq2SeqLM.from_pretrained(name, **trust)), tuned)
assert torch.equal(logits(AutoModelForSeq2SeqLM.from_pretrained(name, revision=old, **trust)), before)
assert pipeline("translation", model=name, **trust)("red cat")
print(json.dumps([old, text, before.flatten().tolist(), len(snippets)]))
"""

HERE = """
import json, sys
import vaswani.modeling
from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer, pipeline
name, revision = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
model = AutoModelForSeq2SeqLM.from_pretrained(name, revision=revision)
assert type(model).__module__ == "vaswani.modeling.modeling_vaswani", type(model)
AutoModel.from_pretrained(name, revision=revision)
ids = tokenizer("the red cat", return_tensors="pt").input_ids
text = pipeline("translation", model=name, revision=revision)("red cat sees house")[0]["translation_text"]
print(json.dumps([text, model.eval()(ids, decoder_input_ids=ids).logits.flatten().tolist()]))
"""


def last_json(done: Done) -> Any:
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_run_pushes_at_each_save_and_at_its_end(world: World, trained: Any) -> None:
    folder, done = trained
    messages = world.hub.model(NAME).messages
    in_progress = [f"Training in progress, step {step}" for step in (10, 20)]
    assert messages[:4] == ["initial commit", *in_progress, "The end of training, step 20"]
    assert "Pushed: " in done.stdout
    commits = list(world.hub.model(NAME).commits.values())
    first, last = commits[1], commits[3]
    assert "Training has not ended" in first["README.md"].decode()
    assert "step 10" in first["README.md"].decode()
    assert faults_of_card(first["README.md"].decode()) == []
    assert last["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    state = json.loads(first["last-checkpoint/trainer_state.json"])
    assert state["global_step"] == 10
    assert not list(folder.glob(".push-*"))
    top = {name for name in last if "/" not in name}
    assert {name for name in top if name.endswith((".bin", ".pt", ".pth", ".pkl"))} == set()
    assert {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "modeling_vaswani.py",
        "pipeline_vaswani.py",
        "generation_vaswani.py",
        "search_vaswani.py",
        "configuration_vaswani.py",
    } <= top


NATIVE = """
import json, re, sys
sys.modules["vaswani"] = None  # importing it fails from here on
import torch
from transformers import (AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq, Seq2SeqTrainer,
                          Seq2SeqTrainingArguments)
from huggingface_hub import ModelCard
name, subfolder, folder = sys.argv[1:]
where = {"subfolder": subfolder} if subfolder else {}
tokenizer = AutoTokenizer.from_pretrained(name, **where)
model = AutoModelForSeq2SeqLM.from_pretrained(name, **where)
for stack in (model.model.encoder, model.model.decoder):  # findings/transformers-marian-positions.sh
    stack.embed_positions.requires_grad_(False)
ids = tokenizer("the red cat", return_tensors="pt").input_ids
logits = lambda model: model.eval()(ids, decoder_input_ids=ids).logits.detach()
before = logits(model)
snippets = re.findall(r"```python\\n(.*?)```", ModelCard.load(name).text, re.DOTALL)
exec(snippets[-1], {})
rows = [{"input_ids": tokenizer(a).input_ids, "labels": tokenizer(b).input_ids}
        for a, b in [("red cat", "rot Katze"), ("big dog sees", "groß Hund sieht")] * 8]
arguments = Seq2SeqTrainingArguments(folder, max_steps=4, per_device_train_batch_size=4, learning_rate=1e-2,
                                     report_to=[], use_cpu=True, save_strategy="no")
trainer = Seq2SeqTrainer(model, arguments, train_dataset=rows, processing_class=tokenizer,
                         data_collator=DataCollatorForSeq2Seq(tokenizer, model))
trainer.train()
trainer.save_model(folder)
tuned = logits(trainer.model)
assert not torch.equal(tuned, before)
assert torch.equal(logits(AutoModelForSeq2SeqLM.from_pretrained(folder)), tuned)
print(json.dumps([type(model).__name__, len(snippets), before.flatten().tolist()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["beside", "instead"])
def test_a_form_of_transformers_own_is_pushed_and_needs_no_trust(world: World, trained: Any, place: str) -> None:
    """By the recipe, and by `vaswani push`; the stock trainer tunes it, and it is loaded again."""
    folder, _ = trained
    name, lines = NAME, world.folder / "lines"
    if place == "instead":
        name = "ann/native"
        lines.write_text("red cat\nbig dog sees house\n", encoding="utf-8")
        assert world.push(folder, name, token=ANN).returncode == 0  # with our code first
        done = world.push(folder, name, "--native", place, "--validation", str(lines), str(lines), "--language", "en")
        assert done.returncode == 0, done.stderr
        assert "The search of transformers, length_penalty 0.4" in done.stdout
    *_, last = world.hub.model(name).commits.values()
    names = {each for each in last if each.startswith("transformers/") or "/" not in each}
    native = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    if place == "beside":
        assert {each.removeprefix("transformers/") for each in names if "/" in each} == native
        assert "modeling_vaswani.py" in names
    else:
        assert names - {".gitattributes"} == native | {"README.md", "curve.png", "history.json"}
    text = last["README.md"].decode()
    assert faults_of_card(text) == []
    data: Any = ModelCard(text).data
    assert ("custom_code" in data.tags) is (place == "beside")
    assert "as a `MarianMTModel` of transformers" in text
    record = json.loads(last[f"{'transformers/' if place == 'beside' else ''}generation_config.json"])
    assert f"| transformers', {record['length_penalty']:g}, written |" in text
    subfolder = "transformers" if place == "beside" else ""
    found = last_json(world.start("-c", NATIVE, name, subfolder, world.folder / f"tuned-{place}", token=None))
    assert found[:2] == ["MarianMTModel", 2 if place == "beside" else 1]
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(folder)
    ids = AutoTokenizer.from_pretrained(folder)("the red cat", return_tensors="pt").input_ids
    logits = ours.eval()(ids, decoder_input_ids=ids).logits.flatten().tolist()
    assert found[2] == pytest.approx(logits, abs=1e-5)


def test_a_native_form_that_there_cannot_be_is_refused_before_the_first_step(world: World) -> None:
    flags = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]
    flags += ["--output_dir", str(world.folder / "none"), "--push_native"]
    hub = ["--push_to_hub", "--hub_model_id", "ann/none"]
    for more, what in (
        (["beside"], "says how to push, and the run pushes nothing; add --push_to_hub"),
        (["both", *hub], "--push_native is both; give beside or instead"),
        (["instead", *hub, "--positions", "learned"], "its positions are learned"),
    ):
        done = world.start(ROOT / "recipes" / "wmt14_base.py", *flags, *more)
        assert done.returncode == 2
        assert what in done.stderr
        assert "step " not in done.stdout


@pytest.mark.slow
def test_no_token_is_left_anywhere(world: World, trained: Any) -> None:
    """Not in the command of run.json, nor in training_args.bin, which pickles all arguments, nor on the Hub."""
    folder, _ = trained
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "training_args.bin" for path in files)
    assert "--hub_token '<HUB_TOKEN>'" in json.loads((folder / "run.json").read_text())["command"]
    for path in files:
        assert ANN.encode() not in path.read_bytes(), path
    for commit in world.hub.model(NAME).commits.values():
        for name, content in commit.items():
            assert ANN.encode() not in content, name


@pytest.mark.slow
def test_the_card_says_what_was_measured_and_is_read_back(world: World, trained: Any) -> None:
    folder, _ = trained
    metrics, run = (json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "run"))
    text = list(world.hub.model(NAME).commits.values())[3]["README.md"].decode()
    card = ModelCard(text)
    assert faults_of_card(text) == []
    assert str(world.folder) not in text
    data: Any = card.data
    assert (data.language, data.license, data.datasets) == (["en", "de"], "cc-by-4.0", ["wmt/wmt14"])
    assert (data.library_name, data.pipeline_tag) == ("transformers", "translation")
    measured = {each.metric_name: each for each in data.eval_results}
    assert measured.keys() == {"sacreBLEU", "chrF", "TER", "wmt14_bleu"}
    for scores in metrics["test"]["test"].values():
        found = measured[scores["name"]]
        assert found.metric_value == round(scores["value"], 2)
        assert found.metric_args == {"signature": scores["signature"]}
        assert (found.dataset_type, found.dataset_config, found.dataset_split) == ("wmt/wmt14", "de-en", "test")
        cells = re.search(rf"^\| test \| {scores['name']} \| (.*)$", card.text, re.MULTILINE)
        assert cells
        value, signature = re.split(r" \| ", cells[1].removesuffix(" |"))  # no bar of a signature parts its cell
        assert (value, signature.replace(r"\|", "|")) == (f"{scores['value']:.2f}", f"`{scores['signature']}`")
        assert not re.search(r"(?<!\\)\|", signature)
    for word in (
        without_folders(run["command"]),
        run["versions"]["torch"],
        run["hardware"]["device"],
        "Carbon: not measured",
        f"{metrics['training_pairs']['kept']:,} kept",
    ):
        assert word in card.text, word
    files = list((ROOT / "modeling").glob("*_vaswani.py"))
    for file in files:
        row = f"| `{file.name}` | `{hashlib.sha256(file.read_bytes()).hexdigest()}` |"
        assert row in card.text
    assert len(re.findall(r"\| `\w+\.py` \| `[0-9a-f]{64}` \|", card.text)) == len(files)


@pytest.fixture(scope="module")
def elsewhere(world: World, trained: Any) -> Any:
    assert trained
    return last_json(world.start("-c", ELSEWHERE, NAME, world.folder / "tuned"))


@pytest.mark.slow
def test_without_this_package_all_of_it_loads_translates_learns_and_goes_back(world: World, elsewhere: Any) -> None:
    """The checks are in ELSEWHERE; the usage snippet of the card ran there."""
    old, _, _, snippets = elsewhere
    assert snippets == 2  # with our code, and as a class of transformers
    commits = world.hub.model(NAME).commits
    assert list(commits)[3] == old
    tuned = load(list(commits.values())[-1]["model.safetensors"])
    assert tuned.keys() == load(commits[old]["model.safetensors"]).keys()
    for file in (ROOT / "modeling").glob("*_vaswani.py"):  # what fine-tuning elsewhere pushes is the same code
        assert list(commits.values())[-1][file.name] == file.read_bytes()


@pytest.mark.slow
def test_with_this_package_no_trust_is_asked_for(world: World, elsewhere: Any) -> None:
    old, text, logits, _ = elsewhere
    assert last_json(world.start("-c", HERE, NAME, old)) == [text, pytest.approx(logits, abs=1e-6)]


READ = """
import json, sys
import vaswani.modeling
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
found = []
for token in sys.argv[2:]:
    try:
        AutoModelForSeq2SeqLM.from_pretrained(sys.argv[1], token=token or False, cache_dir=f"cache-{len(found)}")
        found.append("loaded")
    except OSError as error:
        found.append(type(error).__name__)
print(json.dumps(found))
"""


@pytest.mark.slow
def test_a_private_repository_needs_the_token_of_its_owner(world: World, trained: Any) -> None:
    folder, _ = trained
    done = world.push(folder, "ann/secret", "--private", "--branch", "trial", "--message", f"Look at my_{BEN}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{world.hub.url}/ann/secret/commit/")
    repository = world.hub.model("ann/secret")
    assert repository.private
    assert repository.messages == ["initial commit", "Look at my_<HUB_TOKEN>"]
    assert repository.branches["trial"] != repository.branches["main"]
    card = repository.commits[repository.branches["trial"]]["README.md"].decode()
    assert 'model="ann/secret", revision="trial"' in card
    assert "no licence was given" in card
    assert "license:" not in card.split("---")[1]
    repository.branches["main"] = repository.branches["trial"]
    readers = (ANN, "", BEN, WRONG)
    assert last_json(world.start("-c", READ, "ann/secret", *readers, token=None)) == ["loaded", *["OSError"] * 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "token", "more", "message"),
    [
        ("ann/new", None, {}, r"there is no token for the Hub; make one .* give it by `hf auth login` or as"),
        ("ann/new", WRONG, {}, r"the Hub refuses the token as wrong, expired or revoked; make one that may write"),
        ("ann/new", BEN, {}, r"the token may not write to ann/new: its account has no permission, or it may only"),
        ("ann/new", READER, {}, r"the token may not write to ann/new: .*, or it may only read"),
        ("tiny", ANN, {}, r"'tiny' does not name a repository; give OWNER/NAME"),
        ("ann/bad name", ANN, {}, r"'ann/bad name' does not name a repository: "),
        ("ann/new", ANN, {"HF_ENDPOINT": "http://127.0.0.1:9"}, r"the Hub at http://127.0.0.1:9 does not answer"),
        ("ann/new", ANN, {"HF_HUB_OFFLINE": "1"}, r"the Hub is switched off by \$HF_HUB_OFFLINE; unset it to push"),
    ],
)
def test_what_stands_in_the_way_is_said_in_a_line(
    world: World, trained: Any, name: str, token: str | None, more: dict[str, str], message: str
) -> None:
    folder, _ = trained
    before = set(world.hub.repositories)
    done = world.push(folder, name, token=token, **more)
    assert done.returncode == 2, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert set(world.hub.repositories) == before


@pytest.mark.slow
def test_a_public_repository_is_not_taken_for_a_private_one(world: World, trained: Any) -> None:
    folder, _ = trained
    before = len(world.hub.model(NAME).messages)
    done = world.push(folder, NAME, "--private")
    assert done.returncode == 2
    assert f"{NAME} exists already and is public, and the model should be private" in done.stderr
    assert len(world.hub.model(NAME).messages) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "where", "message"),
    [
        (500, "/commit/", "the Hub is out of order (it answers 500); nothing was changed there; push again later"),
        (501, "/lfs/", "the Hub is out of order (it answers 501); nothing was changed there; push again later"),
        (401, "/preupload/", "the Hub refuses the token as wrong, expired or revoked"),
        (429, "/api/repos/create", "the Hub asks for a pause (429, too many requests); nothing was changed there"),
        (0, "/api/repos/create", "does not answer"),
    ],
)
def test_an_interrupted_push_changes_nothing_and_a_later_one_completes(
    world: World, trained: Any, status: int, where: str, message: str
) -> None:
    folder, _ = trained
    name = f"ann/fault-{status}"
    world.hub.large.clear()
    world.hub.requests.clear()
    world.hub.fault = lambda _, path: status if where in path and "objects" not in path else None
    try:
        done = world.push(folder, name, HF_HUB_DOWNLOAD_TIMEOUT="2")
    finally:
        world.hub.fault = lambda *_: None
    assert done.returncode == 2, done.stderr
    assert message in done.stderr, done.stderr
    found = world.hub.repositories.get(("model", name))
    assert found is None or found.messages == ["initial commit"]
    if where == "/commit/":
        assert world.hub.requests["lfs_put"] == 1
    assert world.push(folder, name).returncode == 0
    assert world.hub.model(name).messages == ["initial commit", "Push"]
    if where == "/commit/":
        assert world.hub.requests["lfs_put"] == 1  # what had been sent was not sent again


@pytest.mark.slow
def test_weights_of_an_earlier_push_do_not_stand_in_the_way_of_new_ones(
    world: World, trained: Any, tmp_path: Path
) -> None:
    """A repository that has model.safetensors beside shards is read by the former."""
    run = shutil.copytree(trained[0], tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    assert world.push(run, "ann/again").returncode == 0
    model = AutoModelForSeq2SeqLM.from_pretrained(run)
    (run / "model.safetensors").unlink()
    model.save_pretrained(run, max_shard_size="8KB")
    (run / "my_notes.py").touch()
    assert world.push(run, "ann/again").returncode == 0
    before, after = list(world.hub.model("ann/again").commits.values())[-2:]
    shards = {path.name for path in run.glob("model-*")}
    assert len(shards) > 1
    assert before.keys() - after.keys() == {"model.safetensors"}
    assert after.keys() - before.keys() == shards | {"model.safetensors.index.json"}
    assert "my_notes.py" not in after
    next(run.glob("model-00001*")).unlink()
    (run / "tokenizer.json").unlink()
    done = world.push(run, "ann/again")
    assert done.returncode == 2
    assert re.search(r"lacks model-00001-of-\d+.safetensors, tokenizer.json, without which", done.stderr)


@pytest.mark.slow
def test_training_outlives_a_hub_that_fails_and_says_how_to_push(world: World) -> None:
    """Each push fails, in the middle and at the end; the run is whole, its code is 2, and `vaswani push` completes."""
    flags = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]
    folder = world.folder / "an unlucky run"
    flags += ["--push_to_hub", "--hub_model_id", "ann/unlucky", "--hub_strategy", "every_save", "--hub_always_push"]
    flags += ["--hub_license", "cc-by-nc-4.0", "--hub_revision", "trial", "--hub_private_repo", "true"]
    world.hub.fault = lambda _, path: 403 if "/commit/" in path else None
    try:
        done = world.start(ROOT / "recipes" / "wmt14_base.py", *flags, "--output_dir", folder)
    finally:
        world.hub.fault = lambda *_: None
    assert done.returncode == 2, done.stderr[-3000:]
    assert "Note: the push at step 10 failed: the token may not write to ann/unlucky" in done.stdout
    again = ["ann/unlucky", "--branch", "trial", "--license", "cc-by-nc-4.0", "--private"]
    assert f"push it with: vaswani push '{folder}' {' '.join(again)}" in done.stderr
    assert json.loads((folder / "metrics.json").read_text())["steps"] == 20
    assert world.hub.model("ann/unlucky").messages == ["initial commit"]
    assert not list(folder.glob(".push-*"))
    assert world.push(folder, *again).returncode == 0


@pytest.mark.slow
def test_a_hub_that_will_not_take_it_is_known_before_the_first_step(world: World) -> None:
    flags = ["--push_to_hub", "--hub_model_id", "ann/never", "--output_dir", str(world.folder / "never")]
    done = world.start(ROOT / "recipes" / "quickstart.py", *flags, token=WRONG)
    assert done.returncode == 2
    assert "error: the Hub refuses the token as wrong" in done.stderr
    done = world.start(ROOT / "recipes" / "quickstart.py", "--push_to_hub", "--hub_tokn", ANN)
    assert done.returncode == 2
    assert "similar flags are --hub_token" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: (run / "model.safetensors").rename(run / "pytorch_model.bin"), "only pytorch_model.bin, which"),
        (lambda run: (run / "model.safetensors").unlink(), "no weights in safetensors (none). Has its"),
        (lambda run: (run / "pipeline_vaswani.py").unlink(), "lacks pipeline_vaswani.py, without which nobody"),
        (lambda run: (run / "generation_vaswani.py").unlink(), "lacks generation_vaswani.py, without which"),
        (lambda run: (run / "tokenizer_config.json").unlink(), "lacks tokenizer_config.json, without which"),
        (lambda run: (run / "metrics.json").unlink(), "lacks metrics.json, from which the model card"),
        (
            lambda run: [(run / name).unlink() for name in ("run.json", "metrics.json")],
            "of other origin, write its README.md",
        ),
        (shutil.rmtree, "is not a folder; give the one that training wrote"),
    ],
)
@pytest.mark.slow
def test_a_folder_that_is_no_whole_model_is_refused(
    trained: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, message: str
) -> None:
    shutil.copytree(trained[0], tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    change(tmp_path / "run")
    assert main(["push", str(tmp_path / "run"), "ann/new"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ConnectionError("Network error: HTTP client error (403 Forbidden) for url"),
            "may not write to ann/new",
        ),
        (ConnectionError("Network error: HTTP status server error (503 Service Unavailable)"), "it answers 503"),
        (ConnectionError("dns error"), "does not answer (ConnectionError: dns error)"),
        (RuntimeError("Data processing error: CAS service error"), "does not answer (RuntimeError: Data processing"),
    ],
)
def test_errors_of_the_native_uploader_are_told(error: Exception, message: str) -> None:
    with pytest.raises(PublishingError, match=re.escape(message)), _one_line_error(Target("ann/new")):
        raise error


@pytest.mark.slow
def test_the_card_tells_precision_and_text_as_they_were(trained: Any) -> None:
    run, metrics = read_records(trained[0])
    off: dict[str, Any] = dict.fromkeys(("bf16", "fp16", "bf16_throughout"), False)
    for flags, said in (
        ({"fp16": True}, "float16 beside float32"),
        ({"bf16_throughout": True}, "bfloat16 throughout"),
        ({"bf16": True}, "bfloat16 beside float32"),
        ({}, "float32"),
    ):
        changed = replace(run, training=replace(run.training, **(off | flags)))
        assert f"- Precision: {said}" in model_card(NAME, changed, metrics, {})
    own = replace(run, data=replace(run.data, dataset="/data/corpora/mine"), command="")
    card = model_card(NAME, own, metrics, {})
    assert "on mine." in card
    assert "/data" not in card
    overlap = OverlapRecord(False, (4, 4), {"test": FoundRecord(1, 1_200, 0, 3_003)})
    said = "- Of test in the training text: 1 of the 3,003 pairs, 1,200 of the 3,003 sources, 0 of the 3,003 targets"
    assert f"{said}\n" in model_card(NAME, run, replace(metrics, test_text_in_training=overlap), {})
    built_in = model_card(NAME, run, replace(metrics, test_text_in_training=None), {})
    assert "in the training text" not in built_in  # there is nothing to count


def test_tokens_are_hidden_however_they_come() -> None:
    assert hide_tokens(f"Bearer {ANN}: no") == "Bearer <HUB_TOKEN>: no"
    assert hide_tokens("hf_oauth_eyJhb.eyJzd-x hf_jwt_eyJ.x") == "<HUB_TOKEN> <HUB_TOKEN>"
    for before in ("runs/my_", "/data/x", "v1-", "Push of "):
        assert hide_tokens(f"{before}{ANN}/de") == f"{before}<HUB_TOKEN>/de"
    for word in ("half_done hf auth login", "--output_dir runs/hf_base --data_dir /data/hf_corpus/de"):
        assert hide_tokens(word) == word
    hidden = ["r.py", "--hub_token", "<HUB_TOKEN>", "--seed", "1"]
    assert hide_in_command(["r.py", "--hub_token", "oddlooking", "--seed", "1"]) == hidden
    assert hide_in_command(["r.py", "--hub-token=oddlooking"]) == ["r.py", "--hub-token=<HUB_TOKEN>"]


def test_a_command_on_a_card_names_no_folder_of_a_machine() -> None:
    command = (
        "python /srv/ann/vaswani/recipes/multi30k.py --data_dir '/mnt/ann s/multi 30k/' --output_dir ~/runs/mine "
        "--test_splits test news=/mnt/news/2024 --hub_model_id ann/tiny --dataset https://example.org/a/b --seed=1 "
        "--init_from runs/parent --extra_dirs=/mnt/a"
    )
    assert without_folders(command) == (
        "python recipes/multi30k.py --data_dir 'multi 30k' --output_dir mine --test_splits test news=2024 "
        "--hub_model_id ann/tiny --dataset https://example.org/a/b --seed=1 --init_from runs/parent --extra_dirs=a"
    )
