"""A program that trains on a Ray of its own, to be killed: STORE FOLDER."""

import sys
from pathlib import Path

import ray
import small_training

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.training.loop.ray_train import train_on_ray

ray.cloudpickle.register_pickle_by_value(small_training)
store, folder = map(Path, sys.argv[1:])
job = small_training.small_job(store, small_training.SlowRecipe(step_s=0.4))
with open_engine(EngineSettings(workers=2), threads=1):
    train_on_ray(job, folder, workers=(2, 2), threads=1, device="cpu", listener=small_training.Told())
