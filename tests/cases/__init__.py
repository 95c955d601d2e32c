"""Tables of cases shared by the tests and by the scripts that write the reference numbers."""

from .reading import call_arguments as call_arguments
from .reading import load_facts as load_facts
from .reading import load_reference as load_reference
from .reading import numbered as numbered
from .spec import ArrayInput as ArrayInput
from .spec import FunctionCase as FunctionCase
from .spec import InitializerCase as InitializerCase
from .spec import LayerCase as LayerCase
from .spec import LossCase as LossCase
from .spec import MetricCase as MetricCase
from .spec import OptimizerCase as OptimizerCase
from .spec import ScheduleCase as ScheduleCase
from .spec import Spec as Spec
from .spec import build as build
from .spec import build_layer as build_layer
from .spec import draw as draw
from .spec import draw_nested as draw_nested
from .spec import generator as generator
