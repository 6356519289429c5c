"""Every operation that propagation reads: one row each, networks as code has them."""

import attending_rows
import linear_rows
import nonlinear_rows
import time_first_rows

LINEAR = linear_rows.ROWS
NONLINEAR = {**nonlinear_rows.ROWS, **attending_rows.ROWS, **time_first_rows.ROWS}
ROWS = {**LINEAR, **NONLINEAR}
