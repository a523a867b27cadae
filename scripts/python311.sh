#!/bin/sh
# Print a Python 3.11 that can make virtual environments, or say what to install.
for python in "$PYTHON" python3.11 python3 python; do
    if [ -n "$python" ] && "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
    then
        echo "$python"
        exit 0
    fi
done
cat >&2 <<'END'
error: Python 3.11 with its venv module is needed, and neither python3.11 nor python3 is one.
Install it: apt install python3.11 python3.11-venv python3.11-dev (Debian, Ubuntu),
dnf install python3.11 python3.11-devel (Fedora, RHEL), brew install python@3.11 (macOS),
or name one that is elsewhere: make setup PYTHON=/path/to/python3.11
END
exit 2
