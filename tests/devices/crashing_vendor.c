/* A vendor's OpenCL or Vulkan library that does not survive being loaded. */
#include <signal.h>
#include <unistd.h>

__attribute__((constructor)) static void crash(void)
{
    kill(getpid(), SIGKILL);
}
