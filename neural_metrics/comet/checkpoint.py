"""A published checkpoint of COMET: hparams.yaml and checkpoints/model.ckpt in a folder or a repository on the Hub.

model.ckpt is what PyTorch Lightning wrote: "state_dict" with all weights, those of XLM-R among them, and
"hyper_parameters". Of XLM-R's own repository only the configuration and the tokenizer are needed.
"""

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, XLMRobertaConfig, XLMRobertaModel
from transformers.utils import logging

from vaswani.conversion.torch_file import read_torch_file
from vaswani.data.file_names import printable
from vaswani.storage import check_object, naming_damage, sha256_of
from vaswani.training.checkpointing.weight_checks import check_weights
from vaswani.translation.loading import load_tokenizer
from vaswani.translation.repository import SETTINGS, Repository, fetch, look, named

from .network import FEATURES, Network
from .settings import Settings, read_hparams, settings_of, unlike

HPARAMS, WEIGHTS = "hparams.yaml", "checkpoints/model.ckpt"
CHECKPOINT = "folder with hparams.yaml and checkpoints/model.ckpt, or OWNER/NAME (or OWNER/NAME@REVISION) on the Hub"
"""The help text of such an argument."""
PADDING = "<pad>"
DIGITS = 12
"""Of a SHA-256, as signatures show it."""
ENCODER, MIX, ESTIMATOR = "encoder.model.", "layerwise_attention.", "estimator.ff."
_INERT = re.compile(r"(pytorch_lightning|lightning|comet|torchmetrics|numpy)\..+")
"""Whose objects may lie in checkpoints beside the weights, and are not run: callbacks, metrics."""
_LEFT_ASIDE = re.compile(
    r"encoder\.model\.(pooler\..+|embeddings\.position_ids)|layerwise_attention\.dropout_(mask|fill)|"
    r"hidden2tag\..+|wordloss\..+|(train|val)_(metrics|corr|mcc)\..+"
)
"""Tensors that change no score: of training, of tags for words, and what older versions of transformers kept."""


class Comet(NamedTuple):
    """A network that is ready to score, with what its signature says."""

    network: Network
    tokenizer: Tokenizer
    name: str
    encoder: str
    """Of its XLM-R: its name on the Hub, or that of its folder."""
    digest: str
    """The first digits of the SHA-256 of model.ckpt."""
    remarks: tuple[str, ...]
    """What users have to know."""


def load(given: str, encoder: Path | None, device: torch.device) -> Comet:
    """Return the network of a checkpoint, in float32.

    Args:
        given: a CHECKPOINT.
        encoder: folder with XLM-R's config.json and tokenizer.json; None for where the checkpoint says.
        device: where it is to compute.

    Raises:
        ValueError: it is none, is of another class, or damaged; its weights are not those of its settings, or no finite
            numbers; or the Hub cannot be reached.

    """
    folder = _folder_of(given)
    hparams = read_hparams(folder / HPARAMS)
    file = folder / WEIGHTS
    content = read_torch_file(file, _INERT, "where you trust it, save its state_dict and hyper_parameters alone")
    weights, of_checkpoint = _parts(content, file)
    settings = settings_of(hparams, of_checkpoint, folder)
    place = settings.encoder if encoder is None else str(encoder)
    config, tokenizer = _encoder_of(place, given)
    if settings.layer is not None and settings.layer > config.num_hidden_layers:
        raise ValueError(f"{folder}: layer is {settings.layer}, and its XLM-R has {config.num_hidden_layers}")
    weights = {name: weight for name, weight in weights.items() if not _LEFT_ASIDE.fullmatch(name)}
    check_weights(weights.items(), file)
    _check_shapes(weights, _expected(settings, config), file)
    network = _network(settings, config, weights, device)
    said = []
    if other := unlike(hparams, of_checkpoint):
        said.append(f"{HPARAMS} and the checkpoint differ, and the checkpoint counts: {', '.join(other)}")
    return Comet(network, tokenizer, _public(given), _public(place), sha256_of(file)[:DIGITS], tuple(said))


def _public(place: str) -> str:
    """Return a name on the Hub, or the last part of a folder's path."""
    return printable(Path(place).resolve().name) if os.path.lexists(place) else place


def _folder_of(given: str) -> Path:
    """Return the folder of a checkpoint, fetched if it is on the Hub; hparams.yaml is judged before weights are."""
    if os.path.lexists(given):
        folder = Path(given)
    elif (repository := named(given)) is not None:
        listing = look(repository)
        if HPARAMS not in listing.names:
            raise ValueError(f"{given} has no {HPARAMS}; a checkpoint of COMET is a {CHECKPOINT}")
        read_hparams(fetch(repository, listing, [HPARAMS]) / HPARAMS)
        folder = fetch(repository, listing, [HPARAMS, WEIGHTS])
    else:
        raise ValueError(f"{given} is no folder, and no name on the Hub; a checkpoint of COMET is a {CHECKPOINT}")
    for name in (HPARAMS, WEIGHTS):
        if not (folder / name).is_file():
            raise ValueError(f"{given} has no {name}; a checkpoint of COMET is a {CHECKPOINT}")
    return folder


def _parts(content: Any, file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights and the settings in a checkpoint."""
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise ValueError(f'{file} has no "state_dict"; a checkpoint of COMET has its weights there')
    weights, settings = content["state_dict"], content.get("hyper_parameters", {})
    strange = [str(name) for name, each in weights.items() if not isinstance(each, Tensor)]
    if strange:
        raise ValueError(f"{file} holds {', '.join(strange[:3])}, which are no weights; leave them out")
    if not isinstance(settings, dict):
        raise ValueError(f'{file}: its "hyper_parameters" are no settings by name; save them as a dict')
    return weights, settings


def _encoder_of(place: str, of: str) -> tuple[XLMRobertaConfig, Tokenizer]:
    """Return the configuration and the tokenizer of XLM-R, from a folder or the Hub."""
    if os.path.lexists(place):
        folder = Path(place)
    else:
        # Names without an owner, such as xlm-roberta-large, are of the Hub's first years, and it still knows them.
        repository = named(place) or Repository(place, None)
        try:
            folder = fetch(repository, look(repository), SETTINGS)
        except ValueError as error:
            raise ValueError(
                f"{of} was trained on {place}, whose config.json and tokenizer.json are needed: {error}. Or give a "
                "folder that holds both as --comet_encoder"
            ) from error
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).exists() and not (
            name != "config.json" and (folder / "sentencepiece.bpe.model").exists()
        ):
            raise ValueError(f"{place} has no {name}; give a folder with both as --comet_encoder")
    check_object(folder / "config.json")
    with naming_damage(f"the configuration in {folder}"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if type(config) is not XLMRobertaConfig:
        raise ValueError(f"{place} is of the type {config.model_type}; what is read is xlm-roberta")
    tokenizer = _tokenizer_of(folder)
    padding = tokenizer.token_to_id(PADDING)
    if padding is None or padding != config.pad_token_id or tokenizer.get_vocab_size() > config.vocab_size:
        raise ValueError(
            f"the tokenizer in {folder} has {tokenizer.get_vocab_size():,} tokens, with <pad> as number {padding}, and "
            f"config.json {config.vocab_size:,}, with number {config.pad_token_id}; copy both from one model"
        )
    return config, tokenizer


def _tokenizer_of(folder: Path) -> Tokenizer:
    """Return a tokenizer as its file is: transformers' class for XLM-R would put rules of its own in their place."""
    file = folder / "tokenizer.json"
    if not file.exists():
        found: Tokenizer = load_tokenizer(folder).backend_tokenizer
    else:
        try:
            found = Tokenizer.from_file(str(file))
        except Exception as error:  # a bare one
            raise ValueError(f"{file} is damaged ({error}); copy it again") from error
    found.no_truncation()
    found.no_padding()
    return found


def _expected(settings: Settings, config: XLMRobertaConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight that scores are computed by, under its name in a checkpoint."""
    with torch.device("meta"):
        encoder = XLMRobertaModel(config, add_pooling_layer=False)
    found = {f"{ENCODER}{name}": tuple(each.shape) for name, each in encoder.named_parameters()}
    if settings.layer is None:
        found[f"{MIX}gamma"] = (1,)
        found |= {f"{MIX}scalar_parameters.{number}": (1,) for number in range(config.num_hidden_layers + 1)}
    sizes = (FEATURES[settings.kind] * config.hidden_size, *settings.hidden_sizes, 1)
    for number, (wide, narrow) in enumerate(pairwise(sizes)):
        found[f"{ESTIMATOR}{3 * number}.weight"] = (narrow, wide)  # between them are an activation and dropout
        found[f"{ESTIMATOR}{3 * number}.bias"] = (narrow,)
    return found


def _check_shapes(weights: dict[str, Tensor], expected: dict[str, tuple[int, ...]], file: Path) -> None:
    """Raise ValueError, by name, unless all weights are there, have their shape, and nothing else is."""
    lacking, further = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    if lacking or further:
        those = [f"it lacks {_some(lacking)}"] if lacking else []
        those += [f"it also has {_some(further)}"] if further else []
        raise ValueError(f"{file} does not fit its settings and its XLM-R: {'; '.join(those)}")
    for name, shape in expected.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(
                f"{file} does not fit its settings and its XLM-R: {name} is {list(weights[name].shape)}, and "
                f"{list(shape)} is expected"
            )


def _network(settings: Settings, config: XLMRobertaConfig, weights: dict[str, Tensor], device: torch.device) -> Network:
    """Return the network of checked weights."""
    assert config.pad_token_id is not None
    logging.disable_progress_bar()
    of_encoder = {name.removeprefix(ENCODER): each for name, each in weights.items() if name.startswith(ENCODER)}
    encoder: Any = XLMRobertaModel.from_pretrained(
        None, config=config, state_dict=of_encoder, add_pooling_layer=False, dtype=torch.float32
    )

    def moved(name: str) -> Tensor:
        return weights[name].float().to(device)

    numbers = range(config.num_hidden_layers + 1)
    is_mixed = settings.layer is None
    layers = [3 * number for number in range(len(settings.hidden_sizes) + 1)]
    return Network(
        settings,
        encoder.to(device).eval(),
        scores=torch.cat([moved(f"{MIX}scalar_parameters.{number}") for number in numbers]) if is_mixed else None,
        gamma=moved(f"{MIX}gamma") if is_mixed else None,
        estimator=tuple((moved(f"{ESTIMATOR}{each}.weight"), moved(f"{ESTIMATOR}{each}.bias")) for each in layers),
        padding=config.pad_token_id,
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
