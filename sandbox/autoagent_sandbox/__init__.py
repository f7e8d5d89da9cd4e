"""The sandbox image: runner, seccomp filter and how to build it. Data for the Docker adapter."""
