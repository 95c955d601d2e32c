"""Operators of TFLite, a file a family; they register themselves."""

from nacre.export.importers.litert.ops import (
    control as control,
)
from nacre.export.importers.litert.ops import (
    convolution as convolution,
)
from nacre.export.importers.litert.ops import (
    elementwise as elementwise,
)
from nacre.export.importers.litert.ops import (
    indexing as indexing,
)
from nacre.export.importers.litert.ops import (
    random as random,
)
from nacre.export.importers.litert.ops import (
    recurrent as recurrent,
)
from nacre.export.importers.litert.ops import (
    reduction as reduction,
)
from nacre.export.importers.litert.ops import (
    shaping as shaping,
)
