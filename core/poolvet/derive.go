package poolvet

import (
	"go/ast"
	"go/types"
	"slices"
)

// of is the kind of an expression; of a call, that of its first result.
func (o *origins) of(e ast.Expr) kind {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return o.of(e.X)
	case *ast.Ident:
		if v := o.variable(e); v != nil && !v.IsField() {
			return o.ofVariable(v)
		}
	case *ast.TypeAssertExpr:
		return o.of(e.X)
	case *ast.SliceExpr: // it shares the memory
		if o.of(e.X) == memory {
			return memory
		}
	case *ast.IndexExpr:
		return o.part(e.X, e)
	case *ast.StarExpr:
		return o.part(e.X, e)
	case *ast.SelectorExpr:
		return o.ofField(o.of(e.X), e)
	case *ast.CallExpr:
		return o.ofCall(e)
	}
	return none
}

func (o *origins) ofField(base kind, e *ast.SelectorExpr) kind {
	t := o.info.TypeOf(e)
	switch {
	case (base == request || base == loneRequest) && e.Sel.Name == "Body":
		if o.bodies[o.variable(rootOf(e))] {
			return none // the handler has put another there
		}
		return body
	case (base == reused || base == copied) && isRequest(t):
		return request // gin.Context.Request
	case base == reused && isNamed(t, ginPath, "Params"):
		return reused // gin.Context.Params: the next request's are written over them
	case base == memory:
		return o.part(e.X, e)
	case base == reused && isWriter(t), base == writer && isWriter(t):
		return writer // gin.Context.Writer, echo.Response.Writer
	}
	return none
}

func (o *origins) ofCall(call *ast.CallExpr) kind {
	if o.info.Types[call.Fun].IsType() && len(call.Args) == 1 {
		if k := o.of(call.Args[0]); k != memory { // string(b) copies
			return k
		}
		return none
	}
	f := callee(o.info, call)
	switch {
	case f == nil:
		return none
	case receiver(f) == nil:
		return o.ofFunction(f, call)
	}
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return o.ofMethod(o.of(sel.X), f, sel, call)
	}
	return none
}

// deriving are the functions whose result ends when their first argument does.
var deriving = []string{"WithCancel", "WithCancelCause", "WithDeadline", "WithDeadlineCause", "WithTimeout", "WithTimeoutCause", "WithValue", "WithoutCancel"}

// isDeriving reports whether what f returns is made of its first argument.
func isDeriving(f *types.Func) bool {
	return isFunc(f, "context", deriving...) || isFunc(f, "os/signal", "NotifyContext")
}

// isReader reports whether what f returns reads from its first argument.
func isReader(f *types.Func) bool {
	return isFunc(f, "bufio", "NewReader", "NewReaderSize", "NewScanner") || isFunc(f, "encoding/json", "NewDecoder") || isFunc(f, "io", "LimitReader")
}

func (o *origins) ofFunction(f *types.Func, call *ast.CallExpr) kind {
	switch {
	case isFunc(f, "context", "Background", "TODO"):
		return detached
	case isFunc(f, httpPath, "MaxBytesReader") && len(call.Args) == 3:
		return o.of(call.Args[1])
	case isFunc(f, httpPath, "NewResponseController") && len(call.Args) == 1 && o.of(call.Args[0]) == writer:
		return writer
	case isFunc(f, chiPath, "RouteContext") && len(call.Args) == 1 && (o.of(call.Args[0]) == canceled || o.of(call.Args[0]) == detached):
		return reused
	case isReader(f) && len(call.Args) > 0 && o.of(call.Args[0]) == body:
		return body
	case !isDeriving(f) || len(call.Args) == 0:
		return none
	}
	k := o.of(call.Args[0])
	switch k {
	case canceled, userContext, detached, recursive:
		if f.Name() == "WithoutCancel" {
			return detached
		}
		return k
	case reused: // it reads its values from what is reused, without its end too
		return k
	}
	return none
}

func (o *origins) ofMethod(base kind, f *types.Func, sel *ast.SelectorExpr, call *ast.CallExpr) kind {
	result := types.Type(nil)
	if results := f.Signature().Results(); results.Len() > 0 {
		result = results.At(0).Type()
	}
	x := o.info.TypeOf(sel.X)
	switch {
	case isNamed(x, ginPath, "Context") && f.Name() == "Copy" && base != none:
		return copied
	case isRequest(x) && f.Name() == "Context" && base != none:
		return canceled
	case isRequest(x) && (f.Name() == "WithContext" || f.Name() == "Clone"):
		if len(call.Args) == 1 && o.of(call.Args[0]) == detached {
			return none // a decision
		}
		return base
	}
	if base != reused {
		return none
	}
	switch {
	case isRequest(result):
		return request // echo.Context.Request
	case isWriter(result):
		return writer // echo.Context.Response
	case isFiber(x) && isNamed(result, "context", "Context"):
		return userContext
	case isFiber(x) && isNamed(result, fasthttpPath, "RequestCtx"):
		return reused
	case isFiber(x) && !o.immutable && slices.Contains(fiberMemory, f.Name()) && holdsMemory(result):
		return memory
	case isNamed(x, echoPath, "Context") && (f.Name() == "ParamValues" || f.Name() == "PathValues"):
		return reused // the next request's are written over them
	case isNamed(result, "mime/multipart", "FileHeader"):
		return upload
	}
	return none
}
