"""What `sysconfig` looks for: there is nothing to say of the build."""

build_time_vars = {"TZPATH": "", "EXT_SUFFIX": ".none", "Py_DEBUG": 0}
