"""Real Redis servers of every kind."""

from tests.redis_server import api_redis, integrator_redis, redis_program, redis_server, worker_redis

__all__ = ["api_redis", "integrator_redis", "redis_program", "redis_server", "worker_redis"]
