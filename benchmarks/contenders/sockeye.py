"""Sockeye 3's Transformer and loss, built from the options of its own command line and traced as its trainer does.

Post-norm, and dropout only where the paper has it. It divides by the target tokens.
"""

import argparse

import torch
from sockeye import constants
from sockeye.arguments import add_model_parameters, add_training_args
from sockeye.data_io import create_batch_from_parallel_sample, create_target_and_shifted_label_sequences
from sockeye.model import SockeyeModel, initialize_parameters
from sockeye.train import create_losses, create_model_config
from sockeye.training import ModelWithLoss
from torch import Tensor

from .stepping import DEVICE, Setting, Step, batch, serve, step


def make(setting: Setting) -> Step:
    """Make the step, in bfloat16 by autocast."""
    flags = {
        "num-layers": setting.layers,
        "transformer-model-size": setting.d_model,
        "transformer-attention-heads": setting.num_heads,
        "transformer-feed-forward-num-hidden": setting.d_ff,
        "transformer-preprocess": "",
        "transformer-postprocess": "drn",
        "transformer-dropout-prepost": setting.dropout,
        "transformer-dropout-attention": 0.0,
        "transformer-dropout-act": 0.0,
        "label-smoothing": setting.label_smoothing,
    }
    parser = argparse.ArgumentParser()
    add_model_parameters(parser)
    add_training_args(parser)
    options = parser.parse_args([f"--{name}={value}" for name, value in flags.items()])
    symbols = [setting.vocab_size]
    config = create_model_config(options, symbols, symbols, setting.length, setting.length, config_data=None)
    network = SockeyeModel(config).to(DEVICE).train()
    network.apply(initialize_parameters)

    sample = batch(setting.vocab_size, setting.sentences, setting.length)
    source = sample.input_ids.where(sample.attention_mask == 1, constants.PAD_ID)
    labels = sample.labels.where(sample.labels != -100, constants.PAD_ID)
    started = torch.cat([labels.new_full((len(labels), 1), constants.BOS_ID), labels], dim=1)[..., None]
    shifted = create_target_and_shifted_label_sequences(started)
    given = create_batch_from_parallel_sample(source[..., None], *shifted)
    inputs = given.source, given.source_length, given.target, given.target_length

    def autocast() -> torch.autocast:
        return torch.autocast(DEVICE.type, torch.bfloat16, cache_enabled=False)  # a traced module bears no cache

    with autocast():
        traced = torch.jit.trace(network, inputs, strict=False)
    model = ModelWithLoss(traced, create_losses(options, symbols))

    def loss() -> Tensor:
        with autocast():
            found: Tensor = model(*inputs, given.labels)[0]
        return found

    return step(network, loss, autocast=True)


if __name__ == "__main__":
    serve({"Sockeye, bf16": make})
