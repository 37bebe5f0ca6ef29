"""run.json: the settings of a run and the hardware that it ran on. `experiment/run_folder.py` calls `write_run`.

Of the Trainer's arguments it holds those that this project reads, and those that differ from their default in
transformers. It leaves out what no run uses: `learning_rate`, since `peak_learning_rate` takes its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from vaswani.data.directions import in_file_names, languages_of, tags_of, texts_of
from vaswani.storage.records import REST, read_record, write_record
from vaswani.training.renamed import rename_run
from vaswani.training.schedule import peak_rate

from .damage import damaged

RUN = "run.json"


@dataclass(frozen=True)
class NetworkRecord:
    """The fields of `VaswaniConfig`, as requested."""

    vocab_size: int
    """A small text may have given less."""
    d_model: int
    d_ff: int
    num_heads: int
    encoder_layers: int
    decoder_layers: int
    d_k: int | None = None
    d_v: int | None = None
    dropout: float = 0.1
    label_smoothing: float = 0.1
    positions: str = "sinusoidal"
    norm: str = "post"
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    max_positions: int = 1024
    attention_bias: bool = False
    activation: str = "relu"
    output_bias: bool = False
    others: Mapping[str, Any] = field(default_factory=dict, metadata=REST)


@dataclass(frozen=True)
class DataRecord:
    """The fields of `DataArguments`; a field that an older version lacked has the value that the version used."""

    direction: str
    directions: tuple[str, ...] = ()
    temperature: float | None = None
    dataset: str | None = None
    dataset_config: str | None = None
    data_dir: str | None = None
    tsv_quoting: str | None = None
    train_split: str = "train"
    validation_split: str = "validation"
    validation_splits: tuple[str, ...] = ()
    test_splits: tuple[str, ...] = ("test",)
    score_as: str | None = None
    max_tokens: int = 256
    max_ratio: float = 3.0
    line_breaks: str | None = None
    """None: as an earlier version did, which dropped some kinds and kept others."""
    drop_html: bool = False
    check_script: bool = False
    drop_duplicates: bool = False
    drop_test_text: bool = False
    extra_dirs: tuple[str, ...] = ()
    weights: tuple[int, ...] = ()
    tokens_per_batch: int = 4096
    widths: tuple[int, ...] = ()
    streams: int = 1
    window_groups: int = 64
    max_unreadable: float = 0.001
    source_timeout: float = 600.0
    tokenizer_pairs: int = 2_000_000
    user_tokens: tuple[str, ...] = ()
    bpe_dropout: float = 0.0
    glossary: str | None = None
    term_share: float = 0.1
    packed_cache: bool = False
    cache_dir: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict, metadata=REST)

    @property
    def languages(self) -> tuple[str, str]:
        """Source and target; of a run in several directions, those of the first."""
        return languages_of(self.direction)

    @property
    def every_direction(self) -> list[str]:
        """All directions, each once."""
        return list(dict.fromkeys(each.direction for each in texts_of(self.directions))) or [self.direction]

    @property
    def every_language(self) -> list[str]:
        """Sources and targets of all directions, each once."""
        return list(dict.fromkeys(code for each in self.every_direction for code in languages_of(each)))

    @property
    def tags(self) -> list[str]:
        """What sources begin with, for each target language; none where there is only one."""
        return list(tags_of(self.every_direction).values())

    def direction_of(self, name: str) -> str:
        """Return the direction of a scored set, by its name."""
        return next((each for each in self.every_direction if name.endswith(f".{in_file_names(each)}")), self.direction)


def name_of_set(split: str, direction: str | None) -> str:
    """Return the name of a scored set: its split, and its direction where a run has several."""
    return split if direction is None else f"{split}.{in_file_names(direction)}"


@dataclass(frozen=True)
class TrainingRecord:
    """The fields of `VaswaniTrainingArguments` that a run used."""

    max_steps: int
    warmup_steps: float
    peak_learning_rate: float
    """The rate at the end of the warm-up, whether it was given or follows from eq. 3."""
    seed: int
    batches_per_step: int
    adam_beta1: float = 0.9
    adam_beta2: float = 0.98
    adam_epsilon: float = 1e-9
    max_grad_norm: float = 0.0
    weight_decay: float = 0.0
    bf16: bool = False
    fp16: bool = False
    bf16_throughout: bool = False
    torch_compile: bool = False
    lora_rank: int | None = None
    optimizer: str = "adam"
    consistency: str | None = None
    consistency_weight: float | None = None
    cut_share: float = 0.05
    average_checkpoints: int = 5
    ema_decay: float | None = None
    cooldown_steps: float = 0.0
    patience: int | None = None
    metric_for_best_model: str | None = "bleu"
    max_bad_steps: int = 10
    validation_beams: int = 1
    test_beams: int = 4
    length_penalty: float = 0.6
    extra_tokens: int = 50
    logging_steps: float | None = 100.0
    eval_steps: float | None = 1000.0
    save_steps: float | None = 1000.0
    save_total_limit: int | None = None
    others: Mapping[str, Any] = field(default_factory=dict, metadata=REST)
    """Other arguments of the Trainer that differ from their default."""


@dataclass(frozen=True)
class ParentRecord:
    """The model that a run started from."""

    given: str
    """As --init_from named it."""
    checksum: str
    """SHA-256 of its weights."""
    is_vocabulary_new: bool = False
    """Whether the run learned a vocabulary of its own."""
    commit: str | None = None
    """Of its repository on the Hub."""
    last_learning_rate: float | None = None
    """By which it had been trained, as far as known."""


@dataclass(frozen=True)
class HardwareRecord:
    """The hardware of a run's processes, as the first of them saw it."""

    device: str
    processes: int
    cores: int | None


@dataclass(frozen=True)
class RunRecord:
    """What run.json holds."""

    VERSION: ClassVar[int] = 1

    command: str
    model: NetworkRecord
    data: DataRecord
    training: TrainingRecord
    versions: Mapping[str, str]
    hardware: HardwareRecord | None = None
    """None in older records."""
    training_text: str | None = None
    """Fingerprint of the text that --data_dir or --dataset named; None if it was not recorded."""
    scored_texts: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of the pairs of the validation and test sets, by name; none in older records."""
    parent: ParentRecord | None = None
    """The model that it started from; None if it started anew."""
    version: int = VERSION

    @classmethod
    def upgraded(cls, found: dict[str, Any]) -> dict[str, Any]:
        """Return the contents of an older file under the present names, with the learning rate that was really used."""
        found = rename_run(found, RUN)
        if found.get("version", 0) >= 1 or not isinstance(training := found.get("training"), dict):
            return found
        used = {name: value for name, value in training.items() if name != "learning_rate"}
        width, warmup = (found.get("model") or {}).get("d_model"), training.get("warmup_steps")
        if not used.get("peak_learning_rate") and width and warmup:
            used["peak_learning_rate"] = peak_rate(width, round(warmup))
        return {**found, "training": used}


def read_run(folder: Path) -> RunRecord:
    """Read run.json of a run's folder; raises as `read_record` does."""
    return read_record(RunRecord, folder / RUN, damaged)


def write_run(folder: Path, record: RunRecord) -> None:
    """Write run.json into a run's folder."""
    write_record(folder / RUN, record)
