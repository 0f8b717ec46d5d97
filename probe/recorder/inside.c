#include "probe/recorder/inside.h"

bool probe_active;

_Thread_local unsigned probe_inside __attribute__((tls_model("initial-exec")));

_Thread_local unsigned probe_changing __attribute__((tls_model("initial-exec")));
