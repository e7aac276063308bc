// The names of OpenMPI 1.10's libmpi_cxx.so.1 that CNTK 2.7's libraries hold. Its headers put them there; none is called.

#include <cstdlib>

namespace MPI {

struct Comm {
    void *virtual_table, *communicator;
    Comm();
};
Comm::Comm() { std::abort(); }

struct Datatype {
    void Free();
};
void Datatype::Free() { std::abort(); }

struct Win {
    void Free();
};
void Win::Free() { std::abort(); }

}  // namespace MPI

extern "C" void ompi_mpi_cxx_op_intercept() { std::abort(); }
