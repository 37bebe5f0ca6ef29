"""COMET is what its formula says, on small random checkpoints in the published layout; what is none is refused by name.

benchmarks/scoring/comet_parity.py holds the same code against the package of its authors.
"""

import json
import math
import os
import pickle
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback_registry import Registry
from torch import Tensor
from transformers import BertConfig, XLMRobertaConfig, XLMRobertaModel, XLMRobertaTokenizer

from vaswani.commands import main
from vaswani.evaluation.metric_table import as_shown
from vaswani.neural_metrics.comet import network, scores
from vaswani.neural_metrics.comet.checkpoint import Comet, load
from vaswani.neural_metrics.comet.network import sparsemax
from vaswani.neural_metrics.comet.scores import score_lines

CPU = torch.device("cpu")
LETTERS = "abcdefgh"
D, LAYERS, POSITIONS = 16, 3, 44
CASES: dict[str, dict[str, Any]] = {
    "sparsemax": {"layer_transformation": "sparsemax", "layer_norm": False},
    "softmax, normalised": {},
    "maximum of a layer": {"pool": "max", "layer": 2},
    "first token, sigmoid": {"pool": "cls", "final_activation": "sigmoid", "layer_norm": False},
    "default": {"pool": "default"},
    "quality estimation": {"class_identifier": "referenceless_regression_metric", "activations": "Sigmoid"},
    "patched": {
        "class_identifier": "unified_metric",
        "input_segments": ["mt", "src"],
        "layer_transformation": "sparsemax_patch",
    },
    "three passes": {"class_identifier": "unified_metric", "input_segments": ["mt", "src", "ref"]},
    "without sources": {"class_identifier": "unified_metric", "input_segments": ["ref", "mt"], "sent_layer": 1},
}


def leave_encoder(folder: Path) -> None:
    """Configuration and tokenizer of a small XLM-R."""
    folder.mkdir()
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [("▁", -2.0), *((f"▁{letter}", -3.0) for letter in LETTERS), *((letter, -3.5) for letter in LETTERS)]
    tokenizer = XLMRobertaTokenizer(vocab=[*special, *pieces, ("<mask>", 0.0)])
    tokenizer.save_pretrained(folder)
    XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=D,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=POSITIONS,
        type_vocab_size=1,
    ).save_pretrained(folder)


def weights(kind: str, config: XLMRobertaConfig, seed: int) -> dict[str, Tensor]:
    """Every weight of a checkpoint drawn, and what lies beside them."""
    draw = torch.Generator().manual_seed(seed)
    shapes = {f"encoder.model.{name}": tuple(each.shape) for name, each in XLMRobertaModel(config).named_parameters()}
    shapes |= {f"layerwise_attention.scalar_parameters.{layer}": (1,) for layer in range(LAYERS + 1)}
    sizes = [D * {"regression_metric": 6, "unified_metric": 1}.get(kind, 4), 12, 8, 1]
    for place in range(3):
        shapes[f"estimator.ff.{3 * place}.weight"] = (sizes[place + 1], sizes[place])
        shapes[f"estimator.ff.{3 * place}.bias"] = (sizes[place + 1],)
    found = {}
    for name, shape in shapes.items():
        scale = 0.4 if len(shape) == 1 else shape[-1] ** -0.5 * (3 if "estimator" in name else 1)
        found[name] = torch.randn(*shape, generator=draw) * scale + ("LayerNorm.weight" in name)
    beside = {"encoder.model.embeddings.position_ids": torch.arange(POSITIONS)[None]}
    return found | {"layerwise_attention.gamma": torch.tensor([1.3])} | beside


Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Write checkpoints whose XLM-R lies in a folder."""
    encoder = tmp_path_factory.mktemp("xlmr") / "tiny-xlmr"
    leave_encoder(encoder)
    config = XLMRobertaConfig.from_pretrained(encoder)

    def make_one(seed: int = 0, change: Callable[[dict[str, Any]], object] = lambda _: None, **changed: Any) -> Path:
        folder = tmp_path_factory.mktemp("checkpoint")
        hparams: dict[str, Any] = {"class_identifier": "regression_metric", "pretrained_model": str(encoder)}
        hparams |= {"hidden_sizes": [12, 8], "dropout": 0.1, **changed}
        held = weights(hparams["class_identifier"], config, seed)
        if isinstance(hparams.get("layer"), int) or isinstance(hparams.get("sent_layer"), int):
            held = {name: each for name, each in held.items() if "layerwise_attention" not in name}
        content = {
            "state_dict": held,
            "hyper_parameters": {name: each for name, each in hparams.items() if name != "class_identifier"},
            "epoch": 3,
        }
        change(content)
        (folder / "checkpoints").mkdir()
        torch.save(content, folder / "checkpoints/model.ckpt")
        (folder / "hparams.yaml").write_text(yaml.safe_dump(hparams))
        return folder

    return make_one


def opened(folder: Path) -> Comet:
    return load(str(folder), None, CPU)


# --- the formula, in float64, a text at a time ---


def projected(given: Sequence[float]) -> list[float]:
    """The nearest point of the simplex, by bisection of the threshold."""
    low, high = min(given) - 1, max(given)
    for _ in range(200):
        middle = (low + high) / 2
        if sum(max(each - middle, 0) for each in given) > 1:
            low = middle
        else:
            high = middle
    return [max(each - high, 0) for each in given]


def vector(folder: Path, encoder: XLMRobertaModel, chosen: dict[str, Any], ids: list[int]) -> Tensor:
    """What XLM-R and the pooling make of a sequence."""
    held = torch.load(folder / "checkpoints/model.ckpt", weights_only=True)["state_dict"]
    layers = encoder(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
    unified = chosen["class_identifier"] == "unified_metric"
    layer = chosen.get("sent_layer" if unified else "layer", "mix")
    if chosen.get("pool") == "default":
        states = layers[-1][0]
    elif layer == "mix":
        given = [float(held[f"layerwise_attention.scalar_parameters.{each}"]) for each in range(LAYERS + 1)]
        transformation = chosen.get("layer_transformation", "sparsemax" if unified else "softmax")
        total = sum(math.exp(each) for each in given)
        shares = projected(given) if transformation == "sparsemax" else [math.exp(each) / total for each in given]
        rows = []
        for each in layers:
            row = each[0]
            if chosen.get("layer_norm", True):
                row = (row - row.mean()) / torch.sqrt(row.var(correction=0) + 1e-12)
            rows.append(row)
        states = 1.3 * sum((share * row for share, row in zip(shares, rows, strict=True)), torch.zeros(D).double())
    else:
        states = layers[layer][0]
    pool = "cls" if unified else chosen.get("pool", "avg")
    return {"avg": states.mean(0), "max": states.max(0).values}.get(pool, states[0])


def expected(folder: Path, sides: dict[str, list[str]]) -> list[float]:
    """The score of each line by the formula."""
    chosen = yaml.safe_load((folder / "hparams.yaml").read_text())
    held = torch.load(folder / "checkpoints/model.ckpt", weights_only=True)["state_dict"]
    encoder: Any = XLMRobertaModel(
        XLMRobertaConfig.from_pretrained(chosen["pretrained_model"], attn_implementation="eager"), False
    )
    encoder.load_state_dict(
        {name.removeprefix("encoder.model."): each for name, each in held.items() if "pooler" not in name},
        strict=False,
    )
    encoder = encoder.double().eval()
    tokenizer = XLMRobertaTokenizer.from_pretrained(chosen["pretrained_model"])

    def cut(text: str) -> list[int]:
        return list(tokenizer(text, truncation=True, max_length=POSITIONS - 4).input_ids)

    def estimated(row: Tensor) -> float:
        for place in (0, 3, 6):
            row = held[f"estimator.ff.{place}.weight"].double() @ row + held[f"estimator.ff.{place}.bias"].double()
            name = (chosen.get("activations", "Tanh") if place < 6 else chosen.get("final_activation")) or "none"
            row = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}.get(name.lower(), lambda same: same)(row)
        return float(row)

    found = []
    with torch.no_grad():
        for mt, src, ref in zip(sides["mt"], sides["src"], sides["ref"], strict=True):
            if chosen["class_identifier"] == "unified_metric":
                read = {"src": src, "ref": ref}
                wanted = [each for each in ("src", "ref") if each in chosen["input_segments"]]
                passes = [[each] for each in wanted] + ([wanted] if len(wanted) > 1 else [])
                values = []
                for names in passes:
                    ids = cut(mt)
                    for name in names:
                        ids = [*ids, 2, *cut(read[name])[1:]]
                    values.append(estimated(vector(folder, encoder, chosen, ids[: POSITIONS - 2])))
                found.append(sum(values) / len(values))
                continue
            h, s, r = (vector(folder, encoder, chosen, cut(text)) for text in (mt, src, ref))
            if chosen["class_identifier"] == "regression_metric":
                found.append(estimated(torch.cat([h, r, h * r, abs(h - r), h * s, abs(h - s)])))
            else:
                found.append(estimated(torch.cat([h, s, h * s, abs(h - s)])))
    return found


def lines(number: int, seed: int) -> dict[str, list[str]]:
    """Words of few letters; blank lines and lines that are too long among them."""
    draw = random.Random(seed)

    def one() -> str:
        words = draw.choice([0, 1, 3, 6, 40])
        return " ".join("".join(draw.choices(LETTERS, k=draw.randint(1, 3))) for _ in range(words))

    return {side: [one() for _ in range(number)] for side in ("mt", "src", "ref")}


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_formula(case: str, make: Make) -> None:
    folder, sides = make(**CASES[case]), lines(12, 3)
    found = score_lines(opened(folder), [sides["mt"]], sides["src"], sides["ref"])
    right = expected(folder, sides)
    assert np.std(right) > 0.01
    assert found.of_lines[0] == pytest.approx(right, abs=5e-6)
    assert found.cut > 0


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=9))
def test_sparsemax_is_the_nearest_point_of_the_simplex(given_scores: list[float]) -> None:
    found = sparsemax(torch.tensor(given_scores, dtype=torch.float64))
    assert found.tolist() == pytest.approx(projected(given_scores), abs=1e-9)


@given(order=st.permutations(range(9)), tokens=st.integers(1, 200), window=st.integers(1, 9))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_neither_batches_nor_order_change_a_score(
    order: list[int], tokens: int, window: int, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    comet = opened(make())
    sides = lines(9, 5)
    whole = score_lines(comet, [sides["mt"]], sides["src"], sides["ref"]).of_lines[0]
    monkeypatch.setattr(network, "TOKENS", tokens)
    monkeypatch.setattr(scores, "LINES", window)
    other = {side: [each[place] for place in order] for side, each in sides.items()}
    found = score_lines(comet, [other["mt"]], other["src"], other["ref"]).of_lines[0]
    monkeypatch.undo()
    assert found == pytest.approx(whole[order], abs=5e-6)


def test_equal_lines_of_two_outputs_have_equal_scores_and_each_text_is_read_once(make: Make) -> None:
    comet, sides = opened(make()), lines(20, 6)
    told: list[int] = []
    outputs = [sides["mt"], [*sides["mt"][:10], *sides["ref"][10:]]]
    found = score_lines(comet, outputs, sides["src"], sides["ref"], told.append).of_lines
    assert (found[0, :10] == found[1, :10]).all()
    assert sum(told) == len({*outputs[0], *outputs[1], *sides["src"], *sides["ref"]})
    assert sum(told) == scores.number_of_texts(comet, outputs, sides["src"], sides["ref"])


def test_a_word_that_is_named_as_padding_counts_as_in_the_package(make: Make) -> None:
    """Its state is left out of the sum, and the length counts it."""
    comet = opened(make(layer=0))
    ids = [[0, 5, 1, 6, 2]]
    [found] = network.vectors_of(comet.network, ids, lambda _: None)
    embedded = comet.network.encoder(torch.tensor(ids), output_hidden_states=True).hidden_states[0][0]
    assert found.tolist() == pytest.approx((embedded[[0, 1, 3, 4]].sum(0) / 5).tolist(), abs=1e-6)


# --- what is no checkpoint ---


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["state_dict"].pop(name)


def put(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["state_dict"].update({name: value})


class Hostile:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch code-ran",)


QUERY = "encoder.model.encoder.layer.1.attention.self.query.weight"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "class": ({"class_identifier": "ranking_metric"}, "class ranking_metric; those that are read are regression_metri"),
    "lacking": ({"change": without(QUERY)}, f"model.ckpt does not fit its settings and its XLM-R: it lacks {QUERY}"),
    "further": ({"change": put("estimator.ff.9.weight", torch.ones(1))}, r"it also has estimator.ff.9.weight"),
    "shape": ({"hidden_sizes": [12, 9]}, r"estimator.ff.3.weight is \[8, 12\], and \[9, 12\] is expected"),
    "NaN": ({"change": put(QUERY, torch.full((D, D), math.nan))}, f"the weight {QUERY} in .* holds NaN"),
    "whole numbers": ({"change": put(QUERY, torch.ones(D, D).long())}, f"{QUERY} in .* is of the type int64"),
    "no tensor": ({"change": put("callback", "x")}, "holds callback, which are no weights"),
    "no weights": ({"change": lambda content: content.pop("state_dict")}, 'has no "state_dict"'),
    "code": ({"change": put("x", Hostile())}, "loading that could run code .*save its state_dict"),
    "encoder": ({"encoder_model": "BERT"}, "encoder_model is 'BERT'; what is read is XLM-RoBERTa"),
    "layer": ({"layer": 4}, "layer is 4, and its XLM-R has 3"),
    "pool": ({"pool": "sum"}, "pool is 'sum'; what is read is avg, cls, max, default"),
    "activation": ({"activations": "GELU"}, "activations is 'GELU'; what is read is Tanh or Sigmoid"),
    "transformation": ({"layer_transformation": "entmax"}, "layer_transformation is 'entmax'"),
    "segments": ({"class_identifier": "unified_metric", "input_segments": ["mt"]}, r"input_segments is \['mt'\]"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(
    case: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    changed, said = REFUSED[case]
    folder = make(**changed)
    with pytest.raises(ValueError, match=said):
        opened(folder)
    assert not (tmp_path / "code-ran").exists()


def test_objects_of_the_trainer_are_not_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older versions of it kept the classes of callbacks."""
    module = type(sys)("pytorch_lightning.callbacks")
    kept = type("EarlyStopping", (), {"__module__": module.__name__})
    module.EarlyStopping = kept  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pytorch_lightning", type(sys)("pytorch_lightning"))
        patched.setitem(sys.modules, module.__name__, module)
        folder = make(change=lambda content: content.update(callbacks={kept: {"wait": 1}}))
    opened(folder)


def test_files_that_are_missing_or_damaged_are_named(make: Make, tmp_path: Path) -> None:
    folder = make()
    checkpoint, hparams = folder / "checkpoints/model.ckpt", folder / "hparams.yaml"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"model\.ckpt is damaged"):
        opened(folder)
    checkpoint.write_bytes(pickle.dumps({"state_dict": {}}))
    with pytest.raises(ValueError, match=r"model\.ckpt"):
        opened(folder)
    checkpoint.unlink()
    with pytest.raises(ValueError, match=r"has no checkpoints/model\.ckpt; a checkpoint of COMET is a folder"):
        opened(folder)
    hparams.write_text("a: [")
    checkpoint.write_bytes(whole)
    with pytest.raises(ValueError, match=r"hparams\.yaml is damaged"):
        opened(folder)
    with pytest.raises(ValueError, match="no folder, and no name on the Hub"):
        load(str(tmp_path / "absent"), None, CPU)


def test_an_encoder_that_is_another_is_refused(make: Make, tmp_path: Path) -> None:
    folder = make()
    with pytest.raises(ValueError, match=r"has no config\.json; give a folder"):
        load(str(folder), tmp_path, CPU)
    BertConfig().save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="is of the type bert; what is read is xlm-roberta"):
        load(str(folder), tmp_path, CPU)
    XLMRobertaConfig(vocab_size=9).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"tokenizer\.json is damaged"):
        load(str(folder), tmp_path, CPU)
    of_checkpoint = yaml.safe_load((folder / "hparams.yaml").read_text())["pretrained_model"]
    (tmp_path / "tokenizer.json").write_bytes(Path(of_checkpoint, "tokenizer.json").read_bytes())
    with pytest.raises(ValueError, match=r"has 22 tokens, with <pad> as number 1, and config\.json 9"):
        load(str(folder), tmp_path, CPU)


def test_settings_in_the_checkpoint_count_as_in_the_package_and_that_is_said(make: Make) -> None:
    folder = make()
    hparams = yaml.safe_load((folder / "hparams.yaml").read_text())
    (folder / "hparams.yaml").write_text(yaml.safe_dump(hparams | {"pool": "max", "layer_norm": True}))
    content = torch.load(folder / "checkpoints/model.ckpt", weights_only=True)
    content["hyper_parameters"] |= {"pool": "cls", "layer_norm": False}
    torch.save(content, folder / "checkpoints/model.ckpt")
    comet = opened(folder)
    assert (comet.network.settings.pool, comet.network.settings.layer_norm) == ("cls", False)
    [said] = comet.remarks
    assert "the checkpoint counts: layer_norm (True, and False in the checkpoint), pool ('max', and 'cls'" in said


# --- the command ---


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    sides = lines(12, 8)
    sides["other"] = [line or "a" for line in lines(12, 9)["mt"]]
    for name, each in sides.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in each))
    return {name: str(tmp_path / name) for name in sides}


def read(path: str) -> list[str]:
    return Path(path).read_text().split("\n")[:-1]


def test_the_command_prints_comet_last_with_its_signature(
    make: Make, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make()
    texts = ["--references", files["ref"], "--sources", files["src"], "--hypotheses", files["mt"]]
    scored = score_lines(opened(folder), [read(files["mt"])], read(files["src"]), read(files["ref"]))
    asked = ["score", *texts, "--comet", str(folder), "--metrics", "bleu"]
    assert main(asked) == 0
    printed, said = capsys.readouterr()
    assert f"COMET reads {POSITIONS - 4} tokens: {scored.cut} longer text(s) count by their begin" in said
    first, last = printed.splitlines()
    assert first.startswith("sacreBLEU")
    mean = float(scored.of_lines.mean())
    assert last.split()[:2] == ["COMET", as_shown("comet", mean)] == ["COMET", f"{mean:.4f}"]
    form = r"nrefs:1\|model:checkpoint\d+\|sha256:[0-9a-f]{12}\|class:regression_metric\|encoder:tiny-xlmr\|"
    assert re.fullmatch(rf"{form}transformers:[\d.]+\|torch:\S+", last.split()[2])
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["comet"]["value"] == mean


def test_several_outputs_are_compared(make: Make, files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["--references", files["ref"], "--sources", files["src"]]
    outputs = ["--hypotheses", files["mt"], files["other"], files["mt"]]
    assert main(["score", *texts, *outputs, "--comet", str(make()), "--metrics", "bleu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["comet"]
    assert found["signature"].startswith("nrefs:1|bs:1000|ar:10000|seed:12345|model:")
    first, other, same = found["outputs"]
    assert (first["p_value"], same["p_value"], same["value"]) == (None, 1.0, first["value"])
    assert 0 < other["p_value"] < 1
    assert other["value"] != first["value"]


def test_each_sentence_has_a_column(
    make: Make, files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = make(), tmp_path / "rows.tsv"
    texts = ["--references", files["ref"], "--sources", files["src"], "--hypotheses", files["mt"]]
    asked = ["score", "--sentences", *texts, "--output", str(output)]
    assert main([*asked, "--comet", str(folder)]) == 0
    assert "COMET of a sentence: nrefs:1|model:" in capsys.readouterr().err
    rows = [row.split("\t") for row in read(str(output))]
    scored = score_lines(opened(folder), [read(files["mt"])], read(files["src"]), read(files["ref"]))
    assert [float(row[2]) for row in rows] == pytest.approx(scored.of_lines[0].tolist(), abs=6e-5)
    assert main([*asked[:-2], "--comet", str(folder)]) == 0
    assert [row.split("\t")[2] for row in capsys.readouterr().out.splitlines()] == [row[2] for row in rows]


def test_quality_estimation_needs_no_references(
    make: Make, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(class_identifier="referenceless_regression_metric")
    asked = ["score", "--sources", files["src"], "--hypotheses", files["mt"], "--comet", str(folder)]
    assert main(asked) == 0
    assert re.match(r"COMET +-?\d\.\d{4}  nrefs:0\|model:", capsys.readouterr().out)
    assert main([*asked, "--sentences"]) == 0
    column = [float(row) for row in capsys.readouterr().out.splitlines()]
    scored = score_lines(opened(folder), [read(files["mt"])], read(files["src"]), None)
    assert column == pytest.approx(scored.of_lines[0].tolist(), abs=6e-5)
    assert main([*asked, "--metrics", "bleu"]) == 2
    assert "--metrics and --as compare with references" in capsys.readouterr().err


def test_texts_and_flags_that_do_not_fit_are_refused(
    make: Make, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(make())

    def refused(*words: str) -> str:
        assert main(["score", *words]) == 2
        return capsys.readouterr().err

    two = ["--hypotheses", files["mt"], "--references", files["ref"]]
    assert "reads the sources too: give --sources FILE" in refused(*two, "--comet", folder)
    alone = ["--hypotheses", files["mt"], "--sources", files["src"]]
    assert "(regression_metric) reads references: give --references FILE" in refused(*alone, "--comet", folder)
    assert "give --comet CHECKPOINT" in refused(*two, "--comet_encoder", folder)
    assert "leave out --terms and --model" in refused(
        "--model", "m", "--hypotheses", files["mt"], "--sources", files["src"], "--comet", folder
    )
    Path(files["src"]).write_text("a\n")
    assert "1 sources and 12 references" in refused(*two, "--sources", files["src"], "--comet", folder)
    assert "has 12 lines and the sources have 1" in refused(*alone, "--comet", folder)


HUB = """
import sys
from vaswani.commands import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_checkpoint_and_its_encoder_come_from_the_hub(make: Make, files: dict[str, str], tmp_path: Path) -> None:
    """The weights of XLM-R itself are not fetched; a copy does without the Hub."""
    folder = make()
    hparams = yaml.safe_load((folder / "hparams.yaml").read_text())
    encoder = Path(hparams["pretrained_model"])
    content = torch.load(folder / "checkpoints/model.ckpt", weights_only=True)
    content["hyper_parameters"]["pretrained_model"] = "ann/tiny-xlmr"
    torch.save(content, folder / "checkpoints/model.ckpt")
    (folder / "hparams.yaml").write_text(yaml.safe_dump(hparams | {"pretrained_model": "ann/tiny-xlmr"}))
    with Registry() as hub:
        hub.add_model("ann/comet", folder)
        encoder_of_hub = tmp_path / "encoder"
        encoder_of_hub.mkdir()
        for file in encoder.iterdir():
            (encoder_of_hub / file.name).write_bytes(file.read_bytes())
        (encoder_of_hub / "model.safetensors").write_bytes(b"not to be fetched")
        hub.add_model("ann/tiny-xlmr", encoder_of_hub)
        texts = ["--references", files["ref"], "--sources", files["src"], "--hypotheses", files["mt"]]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "home")}
        environment |= {"NO_PROXY": "127.0.0.1,localhost"}

        def called(*words: str, **more: str) -> tuple[int, str, str]:
            command = [sys.executable, "-c", HUB, "score", *texts, "--metrics", "bleu", "--comet", "ann/comet", *words]
            done = subprocess.run(command, env=environment | more, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr

        code, _, said = called(HF_HUB_OFFLINE="1")
        assert code == 2
        assert "no repository of that name was fetched before" in said
        code, printed, said = called()
        assert code == 0, said
        assert "|model:ann/comet|" in printed
        assert "|encoder:ann/tiny-xlmr|" in printed
        kept = {path.name for path in (tmp_path / "home").rglob("*") if path.is_file()}
        assert {"hparams.yaml", "model.ckpt", "tokenizer.json"} <= kept
        assert "model.safetensors" not in kept
        assert called(HF_HUB_OFFLINE="1")[:2] == (0, printed)
        assert called("--comet_encoder", str(encoder))[1].replace("tiny-xlmr", "ann/tiny-xlmr") == printed
