"""DeepSpeed's configuration for a recipe's choice of ZeRO."""

from __future__ import annotations

from typing import Any

from mozi_engine.errors import RecipeError
from mozi_engine.training.recipe import Offload, Zero


def check(zero: Zero) -> None:
    """Raise RecipeError for a choice that cannot be followed."""
    if zero.stage not in range(4):
        raise RecipeError(f"zero.stage={zero.stage} is no stage of ZeRO", hint="zero.stage is 0, 1, 2 or 3")
    if zero.offload is Offload.optimizer and not zero.stage:
        raise RecipeError("without ZeRO nothing is offloaded", hint="zero.stage=2, or zero.offload=none")
    if zero.offload is Offload.all and zero.stage != 3:
        raise RecipeError(
            "only ZeRO's stage 3 offloads weights", hint="zero.stage=3 or zero.offload=optimizer"
        )


def config(zero: Zero) -> dict[str, Any] | None:
    """What TrainingArguments(deepspeed=…) takes; "auto" is filled in by it. None without ZeRO.

    No precision is named: DeepSpeed then leaves the base in its own and the adapter in float32, as they are
    without it.
    """
    if not zero.stage:
        return None
    divided: dict[str, Any] = {"stage": zero.stage}
    if zero.offload is not Offload.none:
        divided["offload_optimizer"] = {"device": "cpu"}
    if zero.offload is Offload.all:
        divided["offload_param"] = {"device": "cpu"}
    if zero.stage == 3:
        divided["stage3_gather_16bit_weights_on_model_save"] = True
    return {
        "zero_optimization": divided,
        "zero_allow_untested_optimizer": True,  # torch's AdamW, which trains without ZeRO too
        "zero_force_ds_cpu_optimizer": False,
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
    }
