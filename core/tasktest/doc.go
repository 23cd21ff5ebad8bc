// Package tasktest is for the tests of handlers that add background tasks: what was
// added, when it would start, and what became of it.
//
// A [Recorder] takes the place of the pool:
//
//	func TestSignup(t *testing.T) {
//		tasks := tasktest.NewRecorder(t, taskpool.Config{})
//		w := httptest.NewRecorder()
//		httppool.Middleware(tasks)(handler).ServeHTTP(w, request)
//		if mail := tasks.WaitFor("welcome"); mail.Fate != taskpool.FateSucceeded {
//			t.Error(mail.Fate, mail.Err)
//		}
//	}
//
// The handler may as well be served by a real server. With Pause before the request
// tasks are captured, and [Recorder.Waiting] shows them before they run. In a bubble
// of testing/synctest a delay of a day takes no time, and [Recorder.Advance] goes
// through it step by step.
//
// How a handler answers when tasks are refused shows after Done: the Recorder then
// refuses all of them.
//
// For the tests of an adapter, as opposed to a handler, there is package pooltest.
package tasktest
