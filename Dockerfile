# jaxgen with CUDA 12. The driver is that of the host (nvidia-container-toolkit);
# CUDA itself comes with JAX's wheels.
#
#   docker build -t jaxgen .
#   docker run --gpus=all --user=$(id -u):$(id -g) -v $PWD:/work jaxgen \
#     train --config=rocks_edm:demo --workdir=runs/rocks
FROM python:3.12-slim

WORKDIR /opt/jaxgen
COPY . .
RUN pip install --no-cache-dir uv \
  && uv pip install --system --no-cache ".[gpu,astronomy,raw,hub]"

ENV HOME=/tmp TF_CPP_MIN_LOG_LEVEL=3
WORKDIR /work
ENTRYPOINT ["jaxgen"]
