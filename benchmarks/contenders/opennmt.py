"""OpenNMT-py's Transformer and loss, built from the options of its own command line.

It offers the norm before each sub-layer only, and its one number for dropout also drops the inner features of the
feed-forward layers; dropout of attention has a number of its own. Its loss counts the right guesses as it goes.
"""

from onmt.constants import DefaultTokens, ModelTask
from onmt.inputters.inputter import dict_to_vocabs
from onmt.model_builder import build_model
from onmt.opts import train_opts
from onmt.utils.loss import LossCompute
from onmt.utils.parse import ArgumentParser
from torch import Tensor, cat

from .stepping import Setting, Step, batch, serve, step

SPECIALS = [DefaultTokens.UNK, DefaultTokens.PAD, DefaultTokens.BOS, DefaultTokens.EOS]


def make(setting: Setting) -> Step:
    """Make the step, in bfloat16 by autocast."""
    flags = {
        "encoder_type": "transformer",
        "decoder_type": "transformer",
        "layers": setting.layers,
        "heads": setting.num_heads,
        "hidden_size": setting.d_model,
        "word_vec_size": setting.d_model,
        "transformer_ff": setting.d_ff,
        "dropout": setting.dropout,
        "attention_dropout": 0,
        "label_smoothing": setting.label_smoothing,
        "param_init": 0,
        "data": "{}",
        "src_vocab": "none",  # asked for, not read
    }
    switches = (
        "position_encoding",
        "add_ffnbias",
        "share_vocab",
        "share_embeddings",
        "share_decoder_embeddings",
        "param_init_glorot",
    )
    parser = ArgumentParser()
    train_opts(parser)
    words = [word for name, value in flags.items() for word in (f"-{name}", str(value))]
    options = parser.parse_args([*words, *(f"-{name}" for name in switches)])
    ArgumentParser.update_model_opts(options)
    ArgumentParser.validate_model_opts(options)
    symbols = SPECIALS + [str(number) for number in range(len(SPECIALS), setting.vocab_size)]
    vocabularies = dict_to_vocabs({"src": symbols, "tgt": symbols, "data_task": ModelTask.SEQ2SEQ})
    model = build_model(options, options, vocabularies, checkpoint=None, device_id=-1)
    criterion = LossCompute.from_opts(options, model, vocabularies["tgt"])

    sample = batch(setting.vocab_size, setting.sentences, setting.length)
    start, padding = (vocabularies["tgt"][name] for name in (DefaultTokens.BOS, DefaultTokens.PAD))
    there, learned = sample.attention_mask == 1, sample.labels != -100
    labels = sample.labels.where(learned, padding)
    target = cat([labels.new_full((len(labels), 1), start), labels], dim=1)[..., None]
    given = {
        "src": sample.input_ids.where(there, padding)[..., None],
        "srclen": there.sum(1),
        "tgt": target,
    }
    tokens = int(learned.sum())

    def loss() -> Tensor:
        hidden, attentions = model(given["src"], given["tgt"], given["srclen"])
        found, _ = criterion(given, hidden, attentions)
        return found / tokens

    return step(model, loss, autocast=True)


if __name__ == "__main__":
    serve({"OpenNMT-py, bf16": make})
