"""Commands that take a model take OWNER/NAME on the Hub as they take a folder: fetched, kept, refused in a line.

The commands run in processes of their own over a Hub on loopback; several in one process, since each start costs
seconds. What the Hub was asked for is counted there.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from loopback_registry import Registry
from transformers import (
    BertConfig,
    BertModel,
    MarianConfig,
    MarianMTModel,
    PreTrainedTokenizerFast,
)

from vaswani.commands import main
from vaswani.translation.models import EXPORTED_FILES
from vaswani.translation.repository import Repository, named

pytestmark = pytest.mark.slow  # each starts processes that import all

MakeModel = Callable[..., Any]
ANN, BEN, WRONG = "hf_annModelTokenOfTests", "hf_benModelTokenOfTests", "hf_wrongModelTokenOfTests"
CALLS = """
import contextlib, io, json, sys
from vaswani.commands import main
found = []
for words in json.loads(sys.argv[1]):
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    found.append([code, *(each.buffer.getvalue().decode() for each in (out, err))])
print(json.dumps(found))
"""


class Said(NamedTuple):
    """What one command left."""

    code: int
    out: str
    err: str


class World(NamedTuple):
    """A Hub, and folders on this machine."""

    hub: Registry
    folder: Path

    def call(
        self, *commands: Sequence[object], home: str, token: str | None = None, wrapped: str = CALLS, **more: str
    ) -> list[Said]:
        """Run commands one after another in one process, whose cache of the Hub lies in `home`."""
        hidden = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE")
        environment = {name: value for name, value in os.environ.items() if name not in hidden} | {
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(self.folder / home),
            "NO_PROXY": "127.0.0.1,localhost",
            "OMP_NUM_THREADS": "1",
            **({"HF_TOKEN": token} if token else {}),
            **more,
        }
        calls = json.dumps([list(map(str, words)) for words in commands])
        done = subprocess.run(
            [sys.executable, "-c", wrapped, calls],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for secret in (ANN, BEN, WRONG):
            assert secret not in done.stdout + done.stderr
        return [Said(*each) for each in json.loads(done.stdout.splitlines()[-1])]


@pytest.fixture(scope="module")
def world(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Ann's models: `one` and `two` that can translate together, `half` in float16, `secret`; what is foreign."""
    folder = tmp_path_factory.mktemp("world")
    for seed, name in enumerate(("one", "two")):
        talker(seed).float().save_pretrained(folder / name)
    talker(2).half().save_pretrained(folder / "half", max_shard_size="20KB")
    talker(3).float().save_pretrained(folder / "later")
    for name in ("one", "two", "half", "later"):
        toy_tokenizer.save_pretrained(folder / name)
    (folder / "one" / "last-checkpoint").mkdir()
    (folder / "one" / "last-checkpoint" / "optimizer.pt").write_bytes(b"not to be fetched")
    (folder / "one" / "pytorch_model.bin").write_bytes(b"not to be fetched")
    (folder / "one" / "history.json").write_text('[{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]')
    (folder / "text").write_text("the cat sat\nthe dog\n")
    BertModel(
        BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    ).save_pretrained(folder / "bert")
    toy_tokenizer.save_pretrained(folder / "bert")
    pickled = folder / "pickled"
    pickled.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (pickled / name).write_bytes((folder / "one" / name).read_bytes())
    (pickled / "pytorch_model.bin").write_bytes(b"not to be fetched")
    hostile = shutil.copytree(folder / "one", folder / "hostile")
    for code in hostile.glob("*.py"):
        code.write_text("import pathlib\npathlib.Path('code ran').touch()\n")
    tokenizer = json.loads((hostile / "tokenizer_config.json").read_text())
    tokenizer["auto_map"] = {"AutoTokenizer": ["modeling_vaswani.Own", "modeling_vaswani.Own"]}
    (hostile / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (folder / "words").mkdir()
    (folder / "words" / "README.md").write_text("no model")
    with Registry({ANN: "ann", BEN: "ben"}) as hub:
        for name in ("one", "two", "half", "bert", "pickled", "words", "hostile"):
            hub.add_model(f"ann/{name}", folder / name)
        hub.add_model("ann/secret", folder / "one", private=True)
        yield World(hub, folder)


def fetched(world: World, home: str) -> set[str]:
    """Return what lies in a cache of the Hub, by name."""
    snapshots = (world.folder / home / "hub").glob("models--*/snapshots/*/**/*")
    return {path.name for path in snapshots if not path.is_dir()}


@pytest.fixture(scope="module")
def said(world: World) -> dict[str, Said]:
    """Be what commands say, of folders and of the same as repositories, by what was asked."""
    to_read = ["--input", world.folder / "text", "--format", "jsonl"]
    draw = ["--text", "the cat", "--translation", "the dog"]
    commands: dict[str, list[object]] = {
        "folder": ["translate", world.folder / "one", *to_read],
        "repository": ["translate", "ann/one", *to_read],
        "folder, float16": ["translate", world.folder / "half", *to_read, "--dtype", "float32"],
        "repository, float16": ["translate", "ann/half", *to_read, "--dtype", "float32"],
        "folders": ["translate", world.folder / "one", world.folder / "two", *to_read],
        "mixed": ["translate", world.folder / "one", "ann/two", *to_read],
        "hostile": ["translate", "ann/hostile", *to_read],
        "attention": ["plot", "attention", "ann/one", *draw, "--output", world.folder / "heads"],
        "curves": ["plot", "curves", "ann/one", "--output", world.folder / "curves"],
        "no curves": ["plot", "curves", "ann/two", "--output", world.folder / "none"],
        "export": ["export", "ann/one", world.folder / "exported", "--to", "ctranslate2"],
        "exported": ["translate", world.folder / "exported", *to_read, "--engine", "ctranslate2"],
        "average": ["average", "ann/one", world.folder / "two", "--output", world.folder / "mean"],
        "average of folders": [
            "average",
            world.folder / "one",
            world.folder / "two",
            "--output",
            world.folder / "same",
        ],
        "average of one": ["average", "ann/one", "--output", world.folder / "never"],
    }
    return dict(zip(commands, world.call(*commands.values(), home="home"), strict=True))


def test_a_repository_translates_as_its_folder_does(said: dict[str, Said]) -> None:
    for one, other in (("folder", "repository"), ("folder, float16", "repository, float16"), ("folders", "mixed")):
        assert said[one].code == said[other].code == 0, said[other].err
        assert said[one].out == said[other].out != ""
    assert said["folder"].out != said["mixed"].out


def test_what_is_drawn_exported_and_averaged_is_the_model_of_the_repository(
    world: World, said: dict[str, Said]
) -> None:
    for asked in ("attention", "curves", "export", "average", "average of folders"):
        assert said[asked].code == 0, said[asked].err
    assert (world.folder / "heads.png").is_file()
    assert (world.folder / "curves.png").is_file()
    assert said["exported"].code == 0, said["exported"].err
    rows, expected = ([json.loads(line) for line in said[name].out.splitlines()] for name in ("exported", "folder"))
    assert [row["translations"][0]["text"] for row in rows] == [row["translations"][0]["text"] for row in expected]
    assert (world.folder / "mean" / "model.safetensors").read_bytes() == (
        world.folder / "same" / "model.safetensors"
    ).read_bytes()
    commit = world.hub.model("ann/one").branches["main"]
    assert json.loads((world.folder / "mean" / "average.json").read_text())[0]["checkpoint"] == f"ann/one@{commit}"


@pytest.mark.parametrize("engine", EXPORTED_FILES)
def test_an_exported_model_translates_from_its_repository(world: World, engine: str) -> None:
    """Of which nothing else is fetched."""
    folder, text = world.folder / f"exported to {engine}", ["--input", world.folder / "text"]
    [done] = world.call(["export", world.folder / "one", folder, "--to", engine], home=engine)
    assert done.code == 0, done.err
    (folder / "more.bin").write_bytes(b"not to be fetched")
    world.hub.add_model(f"ann/{engine}", folder)
    here, there = world.call(*(["translate", name, "--engine", engine, *text] for name in (folder, f"ann/{engine}")),
                             home=engine)  # fmt: skip
    assert there.code == here.code == 0, there.err
    assert there.out == here.out != ""
    assert "more.bin" not in fetched(world, engine)


def test_an_average_is_pushed_and_used_by_its_name(world: World, said: dict[str, Said]) -> None:
    """The mean of a repository and of a folder that no record tells of."""
    assert said["average"].code == 0
    text = ["--input", world.folder / "text"]
    pushed, there, here = world.call(
        ["push", world.folder / "mean", "ann/mean", "--license", "cc-by-4.0"],
        ["translate", "ann/mean", *text],
        ["translate", world.folder / "mean", *text],
        home="pushing",
        token=ANN,
    )
    assert pushed.code == 0, pushed.err
    assert pushed.out.startswith(f"{world.hub.url}/ann/mean/commit/")
    assert (there.code, there.out) == (0, here.out)
    repository = world.hub.model("ann/mean")
    files = repository.commits[repository.branches["main"]]
    card = files["README.md"].decode()
    commit = world.hub.model("ann/one").branches["main"]
    assert f"| 50.0% | [ann/one](https://huggingface.co/ann/one) at `{commit}` |\n| 50.0% | `two` |" in card
    assert "base_model:\n- ann/one" in card
    assert files.keys() & {"average.json", "runs.json"} == set()  # they name folders of the machine
    assert str(world.folder) not in card


def test_what_a_repository_has_not_is_refused_in_a_line(said: dict[str, Said]) -> None:
    assert said["no curves"].code == 2
    assert "ann/two has no history.json: it was pushed by an earlier version or while" in said["no curves"].err
    assert said["average of one"].code == 2
    assert "ann/one is one model, and an average needs two or more" in said["average of one"].err


def test_neither_code_nor_pickles_nor_states_of_training_are_fetched(world: World, said: dict[str, Said]) -> None:
    assert said["repository"].code == 0
    names = fetched(world, "home")
    assert {"config.json", "generation_config.json", "tokenizer.json", "model.safetensors", "history.json"} <= names
    assert {name for name in names if name.endswith((".py", ".bin", ".pt"))} == set()
    assert said["hostile"].out == said["repository"].out
    assert not list(world.folder.rglob("code ran"))


def test_what_is_fetched_once_is_kept(world: World, said: dict[str, Said]) -> None:
    assert said["repository"].code == 0
    before = world.hub.requests["lfs_get"]
    assert world.call(["translate", "ann/one", "--input", world.folder / "text"], home="home")[0].code == 0
    assert world.hub.requests["lfs_get"] == before


def test_a_revision_is_what_it_was_and_main_what_it_is(world: World) -> None:
    old = world.hub.add_model("ann/moving", world.folder / "one")
    world.hub.model("ann/moving").branches["v1"] = old
    new = world.hub.add_model("ann/moving", world.folder / "later")
    text = ["--input", world.folder / "text"]
    names = (
        "ann/moving",
        f"ann/moving@{new}",
        world.folder / "later",
        f"ann/moving@{old}",
        "ann/moving@v1",
        world.folder / "one",
    )
    outs = [each.out for each in world.call(*(["translate", name, *text] for name in names), home="revisions")]
    assert outs == [outs[0]] * 3 + [outs[3]] * 3
    assert outs[0] != outs[3]
    [wrong] = world.call(["translate", "ann/moving@v2", *text], home="revisions")
    assert wrong.code == 2
    assert "the repository of that name has no revision 'v2'; give a branch, a tag or a commit" in wrong.err


REFUSED = {
    "ann/one/more": "ann/one/more is not a folder; a model is a folder with",
    "mine": "mine is not a folder; a model is a folder with",
    "./ann/one": "./ann/one is not a folder; a model is a folder with",
    "ann/wrods": "ann/wrods is no folder here, and no repository of that name can be reached at http://127.0.0.1",
    "ann/secret": "there is none, or it is private and no token was given (`hf auth login`, or $HF_TOKEN)",
    "ann/a--b..c": "ann/a--b..c is no folder here, and no repository can have that name: ",
    "ann/words": "ann/words lacks the configuration (config.json), the weights (model.safetensors or",
    "ann/pickled": "ann/pickled is a model whose weights are pickled (pytorch_model.bin)",
    "ann/bert": "holds a network of the type bert, which is not an encoder-decoder over text",
}


def test_what_is_no_model_is_refused_before_its_weights_are_fetched(world: World) -> None:
    before = world.hub.requests["lfs_get"]
    found = world.call(*(["translate", name, "--input", world.folder / "text"] for name in REFUSED), home="refused")
    for (name, words), each in zip(REFUSED.items(), found, strict=True):
        assert each.code == 2, name
        assert words in each.err, each.err
        assert len(each.err.splitlines()) == 1, each.err
    assert world.hub.requests["lfs_get"] == before


def test_every_command_names_a_mistyped_folder(world: World) -> None:
    name = "runs/mien"
    found = world.call(
        ["translate", name],
        ["serve", name, "--port", "0"],
        ["demo", name],
        ["export", name, world.folder / "out", "--to", "onnx"],
        ["plot", "attention", name, "--text", "the cat"],
        ["plot", "curves", name],
        ["average", name, world.folder / "one", "--output", world.folder / "out"],
        ["average", name, "--output", world.folder / "out"],
        ["import", name, world.folder / "out"],
        home="refused",
    )
    for each in found:
        assert each.code == 2
        assert "runs/mien is no folder here, and no repository of that name can be reached at" in each.err, each.err
    assert not (world.folder / "out").exists()


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (ANN, ""),
        (BEN, "there is none, or it is private and this token may not see it (`hf auth login`, or $HF_TOKEN)"),
        (WRONG, "refuses the token as wrong, expired or revoked (`hf auth login`, or $HF_TOKEN)"),
    ],
)
def test_a_private_repository_is_read_by_the_token_of_its_owner(world: World, token: str, words: str) -> None:
    home = f"private of {token}"
    [found] = world.call(["translate", "ann/secret", "--input", world.folder / "text"], home=home, token=token)
    assert found.code == (2 if words else 0), found.err
    assert words in found.err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "$HF_HUB_OFFLINE forbids asking the Hub"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "the Hub at http://127.0.0.1:9 does not answer (Connect"),
    ],
    ids=["switched off", "no network"],
)
def test_without_the_hub_what_was_fetched_serves_and_is_said_to(
    world: World, said: dict[str, Said], more: dict[str, str], why: str
) -> None:
    text = ["--input", world.folder / "text", "--format", "jsonl"]
    kept, other, curves = world.call(
        ["translate", "ann/one", *text],
        ["translate", "ann/never", *text],
        ["plot", "curves", "ann/one", "--output", world.folder / "again"],
        home="home",
        **more,
    )
    commit = world.hub.model("ann/one").branches["main"]
    assert (kept.code, kept.out, curves.code) == (0, said["repository"].out, 0), kept.err
    assert kept.err.startswith(f"Note: {why}")
    assert kept.err.strip().endswith(f"; using the copy of ann/one that was fetched before, {commit}")
    assert other.code == 2
    assert f"ann/never is no folder here, and no repository of that name was fetched before, while {why}" in other.err


def test_a_hub_that_fails_on_the_way_is_told_and_the_next_call_completes(world: World) -> None:
    text = ["--input", world.folder / "text"]
    world.hub.add_model("ann/unlucky", world.folder / "two")
    world.hub.fault = lambda _, path: 403 if "unlucky/resolve" in path and "model" in Path(path).name else None
    try:
        [failed] = world.call(["translate", "ann/unlucky", *text], home="unlucky")
    finally:
        world.hub.fault = lambda *_: None
    assert failed.code == 2
    assert "ann/unlucky could not be fetched: " in failed.err, failed.err
    assert len(failed.err.splitlines()) == 1, failed.err
    [offline] = world.call(["translate", "ann/unlucky", *text], home="unlucky", HF_HUB_OFFLINE="1")
    assert offline.code == 2
    assert "ann/unlucky lacks the weights" in offline.err, offline.err
    [whole] = world.call(["translate", "ann/unlucky", *text], home="unlucky")
    assert whole.code == 0, whole.err


def test_a_marian_on_the_hub_is_imported(world: World) -> None:
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=60,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        activation_function="relu",
        pad_token_id=59,
        decoder_start_token_id=59,
        max_position_embeddings=64,
        eos_token_id=0,
        forced_eos_token_id=0,
        scale_embedding=True,
    )
    MarianMTModel(config).save_pretrained(world.folder / "marian")
    world.hub.add_model("ann/marian", world.folder / "marian")
    assert main(["import", str(world.folder / "marian"), str(world.folder / "imported here")]) == 0
    out = world.folder / "imported"
    [done, ours] = world.call(["import", "ann/marian", out], ["import", "ann/one", world.folder / "no"], home="import")
    assert done.code == 0, done.err
    for name in ("model.safetensors", "config.json"):
        assert (out / name).read_bytes() == (world.folder / "imported here" / name).read_bytes()
    assert ours.code == 2
    assert "ann/one is a model of ours already; use it as it is" in ours.err


SERVE = """
import json, socket, threading, time, urllib.request
from vaswani.commands import main
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
found = {}
def ask():
    address = f"http://127.0.0.1:{port}/"
    while found.get("status") != "ready":
        try:
            found.update(json.load(urllib.request.urlopen(address + "health")))
            found["status"] = "ready"
        except OSError:  # not yet
            threading.Event().wait(0.1)
    body = json.dumps({"text": ["the cat sat"]}).encode()
    asked = urllib.request.Request(address + "translate", body, {"Content-Type": "application/json"})
    found["text"] = json.load(urllib.request.urlopen(asked))["translations"][0]["text"]
    import os, signal
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=ask, daemon=True).start()
try:
    main(["serve", "ann/one", "--port", str(port)])
except SystemExit:
    pass
print(json.dumps([[0, json.dumps(found), ""]]))
"""


def test_a_repository_is_served_by_its_name(world: World, said: dict[str, Said]) -> None:
    [served] = world.call(home="home", wrapped=SERVE)
    found = json.loads(served.out)
    expected = json.loads(said["folder"].out.splitlines()[0])["translations"][0]["text"]
    assert (found["model"], found["text"]) == ("ann/one", expected)


def test_names() -> None:
    assert named("ann/one") == Repository("ann/one", None)
    assert named("ann/one@refs/pr/1") == Repository("ann/one", "refs/pr/1")
    for text in (
        "one",
        "/ann/one",
        "./one",
        "../one",
        "ann/one/",
        "ann/one/two",
        "ann/one@",
        "ann/o ne",
        "~/one",
        "https://huggingface.co/ann/one",
        "ann/../one",
        "",
    ):
        assert named(text) is None, text
