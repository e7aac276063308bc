// Binds to Python what is used of Caffe2: its workspace, its nets, the gradients of its operators, and the operator whose
// work Python does.
//
// The module stands in for the wheel's own caffe2_pybind11_state, which is compiled for another Python. It has that
// module's name, and its functions' names and arguments, so that the wheel's caffe2.python imports and calls it as its
// own. What it lacks of that module, nobody calls here (see ../shims.py).
//
// The wheel's library has protobuf inside and doesn't export it. So a message is made, parsed and written by Caffe2's
// functions only, never by protobuf's: of those that are mentioned here some have no definition anywhere. As none of
// them is called, the module loads all the same if its symbols are looked up when needed (os.RTLD_LAZY).

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <caffe2/core/macros.h>
// MKL's headers aren't in the wheel. Caffe2 takes the names of a few enumerations from them, or else from its own.
#undef CAFFE2_USE_MKL

#include <caffe2/core/init.h>
#include <caffe2/core/operator.h>
#include <caffe2/core/operator_gradient.h>
#include <caffe2/core/tensor.h>
#include <caffe2/core/workspace.h>
#include <caffe2/utils/proto_utils.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace caffe2 {
std::string SerializeAsString_EnforceCheck(const google::protobuf::MessageLite& message, const char* where);
}

namespace py = pybind11;
using namespace caffe2;

namespace {

// The one workspace: all blobs and nets by their names.
std::unique_ptr<Workspace> workspace(new Workspace());

template <class Message>
Message parse(const py::bytes& serialized) {
  Message message;
  CAFFE_ENFORCE(ParseProtoFromLargeString(serialized.cast<std::string>(), &message), "Can't parse the message.");
  return message;
}

const Blob& existing_blob(const std::string& name) {
  const Blob* blob = workspace->GetBlob(name);
  CAFFE_ENFORCE(blob != nullptr, "Can't find blob: ", name);
  return *blob;
}

template <class T>
bool feed(Tensor* tensor, const py::array& array) {
  if (!array.dtype().equal(py::dtype::of<T>())) {
    return false;
  }
  tensor->Resize(std::vector<int64_t>(array.shape(), array.shape() + array.ndim()));
  std::memcpy(tensor->mutable_data<T>(), array.data(), array.nbytes());
  return true;
}

// Copies an array into a tensor.
void feed_tensor(Tensor* tensor, const py::array& given) {
  const py::array array = py::array::ensure(given, py::array::c_style);
  CAFFE_ENFORCE(
      feed<float>(tensor, array) || feed<double>(tensor, array) || feed<int32_t>(tensor, array) ||
          feed<int64_t>(tensor, array),
      "Can't feed an array of type ", std::string(py::str(array.dtype())));
}

// Copies an array into a blob.
bool feed_blob(Blob* blob, const py::array& array, const py::object& /*device_option*/) {
  feed_tensor(BlobGetMutableTensor(blob, CPU), array);
  return true;
}

template <class T>
py::array copy_of(const Tensor& tensor) {
  return py::array_t<T>(std::vector<py::ssize_t>(tensor.sizes().begin(), tensor.sizes().end()), tensor.data<T>());
}

// Copies a blob into a new array.
py::array fetch_blob(const std::string& name) {
  const Tensor& tensor = existing_blob(name).Get<Tensor>();
  if (tensor.IsType<float>()) return copy_of<float>(tensor);
  if (tensor.IsType<double>()) return copy_of<double>(tensor);
  if (tensor.IsType<int32_t>()) return copy_of<int32_t>(tensor);
  if (tensor.IsType<int64_t>()) return copy_of<int64_t>(tensor);
  CAFFE_THROW("Can't fetch blob ", name, " of type ", tensor.dtype().name());
}

// Shows a tensor of floats as an array, without copying.
py::array tensor_data(Tensor& tensor) {
  const std::vector<py::ssize_t> shape(tensor.sizes().begin(), tensor.sizes().end());
  return py::array_t<float>(shape, tensor.data<float>(), py::cast(&tensor, py::return_value_policy::reference));
}

// Reads command-line flags, such as --caffe2_omp_num_threads; the first argument is the program's name.
void global_init(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) {
    pointers.push_back(&argument[0]);
  }
  int count = static_cast<int>(pointers.size());
  char** start = pointers.data();
  CAFFE_ENFORCE(GlobalInit(&count, &start));
}

bool run_net(const std::string& name, int iterations, bool allow_fail) {
  CAFFE_ENFORCE(workspace->GetNet(name), "Can't find net ", name);
  py::gil_scoped_release release;
  for (int i = 0; i < iterations; ++i) {
    if (!workspace->RunNet(name)) {
      CAFFE_ENFORCE(allow_fail, "Error running net ", name);
      return false;
    }
  }
  return true;
}

// Returns the serialised operators that compute an operator's gradients, and the names of what they compute.
std::pair<std::vector<py::bytes>, std::vector<GradientWrapper>> get_gradient_defs(
    const py::bytes& definition, const std::vector<GradientWrapper>& output_gradients) {
  const GradientOpsMeta found = GetGradientForOp(parse<OperatorDef>(definition), output_gradients);
  std::vector<py::bytes> operators;
  for (const OperatorDef& op : found.ops_) {
    operators.emplace_back(SerializeAsString_EnforceCheck(op, "get_gradient_defs"));
  }
  return {operators, found.g_input_};
}

// Python's functions that operators call, by the tokens in the operators' definitions. They outlive the interpreter,
// without which they can't be released.
std::map<std::string, py::object>& python_functions() {
  static auto* functions = new std::map<std::string, py::object>();
  return *functions;
}

// Returns the token of a function that has none yet.
std::string register_python_op(const py::object& function, bool /*pass_workspace*/, const std::string& name) {
  const std::string token = name + "python_op_" + std::to_string(python_functions().size());
  python_functions()[token] = function;
  return token;
}

std::string gradient_token(const std::string& token) { return token + "_gradient"; }

void register_python_gradient_op(const std::string& token, const py::object& function) {
  python_functions()[gradient_token(token)] = function;
}

// Leaves its work to a function of Python's, which is given two lists of tensors: inputs and outputs.
class PythonOp : public OperatorBase {
 public:
  PythonOp(const OperatorDef& definition, Workspace* workspace) : OperatorBase(definition, workspace) {
    token_ = GetSingleArgument<std::string>("token", "");
  }

  bool Run(int /*stream*/) override {
    py::gil_scoped_acquire acquire;
    py::list inputs, outputs;
    for (int i = 0; i < InputSize(); ++i) {
      inputs.append(py::cast(&Input<Tensor>(i, CPU), py::return_value_policy::reference));
    }
    for (int i = 0; i < OutputSize(); ++i) {
      outputs.append(py::cast(Output<Tensor>(i, CPU), py::return_value_policy::reference));
    }
    python_functions().at(token_)(inputs, outputs);
    return true;
  }

 protected:
  std::string token_;
};

// Its inputs are those of the operator, that one's outputs, and the gradients of these.
class PythonGradientOp : public PythonOp {
 public:
  PythonGradientOp(const OperatorDef& definition, Workspace* workspace) : PythonOp(definition, workspace) {
    token_ = gradient_token(token_);
  }
};

} // namespace

namespace caffe2 {
OPERATOR_SCHEMA(Python);
OPERATOR_SCHEMA(PythonGradient);
REGISTER_CPU_OPERATOR(Python, PythonOp);
REGISTER_CPU_OPERATOR(PythonGradient, PythonGradientOp);
} // namespace caffe2

PYBIND11_MODULE(caffe2_pybind11_state, m) {
  m.attr("is_asan") = false;
  m.attr("has_fbgemm") = false;
  m.attr("define_caffe2_no_operator_schema") = false;

  m.def("global_init", &global_init);
  m.def("on_module_exit", [] { workspace.reset(); });

  // Operators and their gradients.
  m.def("registered_operators", &GetRegisteredOperators);
  m.def("op_registry_key", &OpRegistryKey);
  py::class_<GradientWrapper>(m, "GradientWrapper")
      .def(py::init<>())
      .def_readwrite("dense", &GradientWrapper::dense_)
      .def_readwrite("indices", &GradientWrapper::indices_)
      .def_readwrite("values", &GradientWrapper::values_)
      .def("is_dense", &GradientWrapper::IsDense)
      .def("is_sparse", &GradientWrapper::IsSparse)
      .def("is_empty", &GradientWrapper::IsEmpty);
  m.def("get_gradient_defs", &get_gradient_defs);
  m.def("register_python_op", &register_python_op);
  m.def("register_python_gradient_op", &register_python_gradient_op);

  // The workspace and its blobs. caffe2.python hangs methods of its own onto the classes.
  py::class_<Tensor>(m, "TensorCPU").def_property_readonly("data", &tensor_data).def("feed", &feed_tensor);
  py::class_<Blob>(m, "Blob").def("_feed", &feed_blob);
  py::class_<Workspace>(m, "Workspace")
      .def_property_readonly_static(
          "current", [](const py::object&) { return workspace.get(); }, py::return_value_policy::reference)
      .def("create_blob", &Workspace::CreateBlob, py::return_value_policy::reference)
      .def("_last_failed_op_net_position", [](Workspace& self) { return self.last_failed_op_net_position.load(); });
  m.def("current_workspace", [] { return "default"; });
  m.def("root_folder", [] { return workspace->RootFolder(); });
  m.def("reset_workspace", [](const std::string& root_folder) {
    workspace.reset(new Workspace(root_folder));
    return true;
  });
  m.def("blobs", [] { return workspace->Blobs(); });
  m.def("has_blob", [](const std::string& name) { return workspace->HasBlob(name); });
  m.def("create_blob", [](const std::string& name) { return workspace->CreateBlob(name) != nullptr; });
  m.def("fetch_blob", &fetch_blob);

  // Nets.
  m.def("create_net", [](const py::bytes& definition, bool overwrite) {
    CAFFE_ENFORCE(workspace->CreateNet(parse<NetDef>(definition), overwrite), "Error creating the net.");
    return true;
  });
  m.def("run_net", &run_net);
  m.def("run_net_once", [](const py::bytes& definition) {
    const NetDef net = parse<NetDef>(definition);
    py::gil_scoped_release release;
    CAFFE_ENFORCE(workspace->RunNetOnce(net));
    return true;
  });
  m.def("run_operator_once", [](const py::bytes& definition) {
    const OperatorDef op = parse<OperatorDef>(definition);
    py::gil_scoped_release release;
    CAFFE_ENFORCE(workspace->RunOperatorOnce(op));
    return true;
  });
}
