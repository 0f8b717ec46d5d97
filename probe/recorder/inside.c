#include "probe/recorder/inside.h"

_Thread_local unsigned probe_inside __attribute__((tls_model("initial-exec")));
