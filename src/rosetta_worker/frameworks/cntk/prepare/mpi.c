/* MPI for one process: what CNTK 2.7 calls of OpenMPI 1.10's libmpi.so.12 when it trains alone.

   Among one process a message has nobody to go to: a reduction over all is a copy, a broadcast nothing, a request is
   done when it is made. CNTK takes only the addresses of OpenMPI's predefined objects, so they may be our own. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { size_t bytes; } object; /* of a datatype: its size */

object ompi_mpi_comm_world, ompi_mpi_comm_null, ompi_mpi_op_sum;
object ompi_mpi_char = {1}, ompi_mpi_int = {4}, ompi_mpi_long_long_int = {8};
object ompi_mpi_float = {4}, ompi_mpi_double = {8};

#define SUCCESS 0
#define IN_PLACE ((const void *)1)
#define UNDEFINED (-32766)

/* Starting and ending */

static int initialised, finalised;

int MPI_Init(int *argc, char ***argv) { initialised = 1; return SUCCESS; }
int MPI_Init_thread(int *argc, char ***argv, int wanted, int *provided)
{
    initialised = 1;
    *provided = wanted;
    return SUCCESS;
}
int MPI_Initialized(int *flag) { *flag = initialised; return SUCCESS; }
int MPI_Finalize(void) { finalised = 1; return SUCCESS; }
int MPI_Finalized(int *flag) { *flag = finalised; return SUCCESS; }
int MPI_Abort(object *communicator, int code)
{
    fprintf(stderr, "MPI_Abort was called with %d.\n", code);
    abort();
}

/* Who is there */

int MPI_Comm_rank(object *communicator, int *rank) { *rank = 0; return SUCCESS; }
int MPI_Comm_size(object *communicator, int *size) { *size = 1; return SUCCESS; }
int MPI_Comm_dup(object *communicator, object **duplicate) { *duplicate = communicator; return SUCCESS; }
int MPI_Comm_split(object *communicator, int color, int key, object **part)
{
    *part = color == UNDEFINED ? &ompi_mpi_comm_null : communicator;
    return SUCCESS;
}
int MPI_Comm_free(object **communicator) { *communicator = &ompi_mpi_comm_null; return SUCCESS; }
int MPI_Comm_set_errhandler(object *communicator, void *handler) { return SUCCESS; }
int MPI_Get_processor_name(char *name, int *length)
{
    strcpy(name, "localhost");
    *length = (int)strlen(name);
    return SUCCESS;
}
int MPI_Error_string(int code, char *words, int *length)
{
    *length = sprintf(words, "MPI error %d", code);
    return SUCCESS;
}
int MPI_Type_size(object *type, int *size) { *size = (int)type->bytes; return SUCCESS; }

/* Collective operations */

static int copy(const void *from, void *to, int count, object *type)
{
    if (from != IN_PLACE && from != to)
        memcpy(to, from, (size_t)count * type->bytes);
    return SUCCESS;
}

int MPI_Barrier(object *communicator) { return SUCCESS; }
int MPI_Bcast(void *buffer, int count, object *type, int root, object *communicator) { return SUCCESS; }
int MPI_Reduce(const void *from, void *to, int count, object *type, object *operation, int root, object *communicator)
{
    return copy(from, to, count, type);
}
int MPI_Allreduce(const void *from, void *to, int count, object *type, object *operation, object *communicator)
{
    return copy(from, to, count, type);
}
int MPI_Iallreduce(const void *from, void *to, int count, object *type, object *operation, object *communicator,
                   void **request)
{
    *request = NULL;
    return copy(from, to, count, type);
}
int MPI_Gather(const void *from, int count, object *type, void *to, int to_count, object *to_type, int root,
               object *communicator)
{
    return copy(from, to, count, type);
}
int MPI_Allgather(const void *from, int count, object *type, void *to, int to_count, object *to_type,
                  object *communicator)
{
    return copy(from, to, count, type);
}
int MPI_Iallgather(const void *from, int count, object *type, void *to, int to_count, object *to_type,
                   object *communicator, void **request)
{
    *request = NULL;
    return copy(from, to, count, type);
}

/* Requests: all are done */

int MPI_Test(void **request, int *flag, void *status) { *flag = 1; return SUCCESS; }
int MPI_Wait(void **request, void *status) { return SUCCESS; }
int MPI_Waitall(int count, void **requests, void *statuses) { return SUCCESS; }
int MPI_Waitany(int count, void **requests, int *index, void *status) { *index = UNDEFINED; return SUCCESS; }
