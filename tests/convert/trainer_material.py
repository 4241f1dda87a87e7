"""A small trainer with photos of which half have the wrong label."""

import numpy as np

from dogid_convert.support.quiet_tensorflow import load_tensorflow

load_tensorflow()
import tensorflow as tf  # noqa: E402

from dogid_convert.graph import surgery  # noqa: E402
from dogid_convert.training.backbone import make_runner  # noqa: E402
from dogid_convert.training.fine_tuning import Samples, Schedule  # noqa: E402
from dogid_convert.training.trainer import Trainer, ValidationSet  # noqa: E402
from tests.convert.training_material import SIDE, small_backbone  # noqa: E402

TrainerMaterial = tuple[Trainer, Samples, ValidationSet]


def make_trainer(*, fine: bool, patience: int) -> TrainerMaterial:
    tf.config.experimental.enable_op_determinism()
    backbone = small_backbone()
    path = surgery.find_main_path(backbone.graph, "input", backbone.embedding)
    cut = surgery.find_cut(backbone.graph, path, 2) if fine else path[-1]
    rng = np.random.default_rng(0)
    pixels = rng.uniform(-1, 1, (48, SIDE, SIDE, 3)).astype(np.float32)
    labels = (np.arange(48) % 3).astype(np.int64)
    pixels[labels == 1, ..., 0] += rng.uniform(-0.3, 1, 16)[:, None, None]  # predicts label 1, more or less
    values = make_runner(backbone, cut)(pixels).astype(np.float16)
    schedule = Schedule(epochs=30, learning_rate=0.01, batch_size=8, ema_decay=0.5)
    trainer = Trainer(backbone, cut, label_count=3, fine=fine, seed=0, schedule=schedule)
    samples = Samples(values[:32, None], labels[:32], np.ones(32, np.float32), np.arange(32))
    return trainer, samples, ValidationSet(values[32:], labels[32:], patience)
