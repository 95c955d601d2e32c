"""Optimizer cases and learning-rate schedules.

Every optimizer case runs `NUM_STEPS` steps on two variables; values are stored after each step of
`STORED_STEPS` (1 = after the first). Gradients differ from step to step and are stored too.
"""

from .spec import OptimizerCase as Case
from .spec import ScheduleCase, Spec

NUM_STEPS = 10
STORED_STEPS = (1, 2, 10)
VARIABLE_SHAPES = ((3, 4), (4,))


def _schedule(name, **kwargs):
    return Spec(name, kwargs, namespace="optimizers.schedules")


SCHEDULES = (
    ScheduleCase("cosine_decay", "CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}),
    ScheduleCase(
        "cosine_decay_warmup",
        "CosineDecay",
        {
            "initial_learning_rate": 0.01,
            "decay_steps": 20,
            "alpha": 0.1,
            "warmup_target": 0.1,
            "warmup_steps": 5,
        },
    ),
    ScheduleCase(
        "cosine_decay_alpha",
        "CosineDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.25},
    ),
    ScheduleCase(
        "cosine_decay_restarts",
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 5},
    ),
    ScheduleCase(
        "cosine_decay_restarts_factors",
        "CosineDecayRestarts",
        {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 4,
            "t_mul": 1.0,
            "m_mul": 0.8,
            "alpha": 0.1,
        },
    ),
    ScheduleCase(
        "exponential_decay",
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.9},
    ),
    ScheduleCase(
        "exponential_decay_staircase",
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.9, "staircase": True},
    ),
    ScheduleCase(
        "inverse_time_decay",
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5},
    ),
    ScheduleCase(
        "inverse_time_decay_staircase",
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5, "staircase": True},
    ),
    ScheduleCase(
        "piecewise_constant_decay",
        "PiecewiseConstantDecay",
        {"boundaries": [2, 8, 20], "values": [0.1, 0.05, 0.01, 0.001]},
    ),
    ScheduleCase(
        "polynomial_decay", "PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}
    ),
    ScheduleCase(
        "polynomial_decay_cycle",
        "PolynomialDecay",
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 8,
            "end_learning_rate": 0.01,
            "power": 2.0,
            "cycle": True,
        },
    ),
)

_BASES = (
    ("sgd", "SGD", {"learning_rate": 0.1}),
    ("sgd_momentum", "SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("sgd_nesterov", "SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("adam", "Adam", {"learning_rate": 0.05}),
    ("adam_default", "Adam", {}),
    ("adam_amsgrad", "Adam", {"learning_rate": 0.05, "amsgrad": True}),
    ("adam_betas", "Adam", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    ("adamw", "AdamW", {"learning_rate": 0.05}),
    ("adamw_amsgrad", "AdamW", {"learning_rate": 0.05, "weight_decay": 0.1, "amsgrad": True}),
    ("rmsprop", "RMSprop", {"learning_rate": 0.05}),
    ("rmsprop_centered", "RMSprop", {"learning_rate": 0.05, "centered": True}),
    ("rmsprop_momentum", "RMSprop", {"learning_rate": 0.05, "momentum": 0.8}),
    (
        "rmsprop_all",
        "RMSprop",
        {"learning_rate": 0.05, "momentum": 0.8, "centered": True, "rho": 0.7},
    ),
    ("adagrad", "Adagrad", {"learning_rate": 0.1}),
    ("adagrad_accumulator", "Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.5}),
    ("adadelta", "Adadelta", {"learning_rate": 1.0}),
    ("adadelta_rho", "Adadelta", {"learning_rate": 0.5, "rho": 0.8, "epsilon": 1e-4}),
    ("adamax", "Adamax", {"learning_rate": 0.05}),
    ("nadam", "Nadam", {"learning_rate": 0.05}),
    ("ftrl", "Ftrl", {"learning_rate": 0.1}),
    (
        "ftrl_regularized",
        "Ftrl",
        {
            "learning_rate": 0.1,
            "l1_regularization_strength": 0.05,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.05,
            "beta": 0.1,
        },
    ),
    ("ftrl_power", "Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.3}),
    ("lion", "Lion", {"learning_rate": 0.01}),
    ("lion_betas", "Lion", {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9}),
    ("lamb", "Lamb", {"learning_rate": 0.05}),
    ("adafactor", "Adafactor", {}),
    ("adafactor_absolute", "Adafactor", {"learning_rate": 0.05, "relative_step": False}),
    ("adafactor_clip", "Adafactor", {"learning_rate": 0.5, "clip_threshold": 0.3}),
    ("muon", "Muon", {"learning_rate": 0.05, "exclude_embeddings": False}),
    ("schedule_free_adamw", "ScheduleFreeAdamW", {"learning_rate": 0.05}),
    (
        "schedule_free_adamw_warmup",
        "ScheduleFreeAdamW",
        {"learning_rate": 0.05, "warmup_steps": 4, "weight_decay": 0.05},
    ),
)
_OPTIONS = (
    ("clipnorm", {"clipnorm": 0.5}),
    ("global_clipnorm", {"global_clipnorm": 0.5}),
    ("clipvalue", {"clipvalue": 0.2}),
    ("weight_decay", {"weight_decay": 0.05}),
    ("use_ema", {"use_ema": True, "ema_momentum": 0.8}),
    ("use_ema_overwrite", {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3}),
    ("gradient_accumulation", {"gradient_accumulation_steps": 3}),
    (
        "everything",
        {
            "clipnorm": 0.8,
            "weight_decay": 0.02,
            "use_ema": True,
            "ema_momentum": 0.9,
            "gradient_accumulation_steps": 2,
        },
    ),
)
_WITH_OPTIONS = (
    ("sgd_momentum", "SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("adam", "Adam", {"learning_rate": 0.05}),
    ("rmsprop", "RMSprop", {"learning_rate": 0.05}),
    ("lamb", "Lamb", {"learning_rate": 0.05}),
)
_WEIGHT_DECAY_TOO = (
    ("lion_weight_decay", "Lion", {"learning_rate": 0.01, "weight_decay": 0.1}),
    ("nadam_weight_decay", "Nadam", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("adagrad_weight_decay", "Adagrad", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("adafactor_weight_decay", "Adafactor", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("ftrl_weight_decay", "Ftrl", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("adadelta_clipnorm", "Adadelta", {"learning_rate": 1.0, "clipnorm": 0.5}),
    ("adamax_clipvalue", "Adamax", {"learning_rate": 0.05, "clipvalue": 0.2}),
)

OPTIMIZER_CASES: tuple[Case, ...] = (
    *(Case(*base) for base in _BASES),
    *(
        Case(f"{name}_{option}", optimizer, {**kwargs, **more})
        for name, optimizer, kwargs in _WITH_OPTIONS
        for option, more in _OPTIONS
    ),
    *(Case(*base) for base in _WEIGHT_DECAY_TOO),
    *(
        Case(
            f"{name}_with_{schedule.id}",
            optimizer,
            {"learning_rate": _schedule(schedule.schedule, **schedule.kwargs)},
        )
        for name, optimizer in (("sgd", "SGD"), ("adam", "Adam"))
        for schedule in SCHEDULES
    ),
)
OPTIMIZER_CASES_BY_ID: dict[str, Case] = {case.id: case for case in OPTIMIZER_CASES}
assert len(OPTIMIZER_CASES_BY_ID) == len(OPTIMIZER_CASES), "two optimizer cases share one id"
