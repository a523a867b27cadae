# Determined sources this in the uploaded context before each trial. In an image of docker/Dockerfile all is installed
# and this takes a moment; a stock image with Python 3.11 gets what it lacks, and a C++ compiler is needed to build mmcv.
"${DET_PYTHON_EXECUTABLE:-python3}" scripts/install.py "${STACK:-openmmlab}"
