# The fusion node with ROS 2 Jazzy from PyPI's wheels, which exist for x86-64 only; on a Jetson or
# a Pi start from one of ROS's own images instead (docs/middleware.md). No ROS image is needed.
#   docker build -t dig2dig .                        PyPI's torch, which brings CUDA: also for GPUs
#   docker build -t dig2dig --build-arg TORCH_INDEX=URL .    URL: PyTorch's index of CPU wheels
FROM debian:bookworm-slim

ARG TORCH_INDEX=""
ARG UID=1000

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid "${UID}" robot \
    && python3 -m venv /opt/dig2dig

ENV PATH=/opt/dig2dig/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# torch is most of the image and changes seldom, so it has a layer of its own.
COPY constraints.txt /opt/source/
RUN pip install ${TORCH_INDEX:+--index-url "${TORCH_INDEX}"} torch -c /opt/source/constraints.txt

COPY . /opt/source/
RUN pip install "/opt/source[ros,bag,cpu]" -c /opt/source/constraints.txt

USER ${UID}
WORKDIR /home/robot
CMD ["fusion_node"]
