// Package orders is the business code of the example programs: a small service that takes orders.
//
// It knows no web framework. Its handlers take a context.Context and give a [Response], and a program in front of it
// is a few lines of glue. What need not delay the answer goes to the background, through the scope that the
// framework's middleware put into the context:
//
//	audit      at once, beside the handler
//	outcome    once the response is sent: logs what became of the request
//	receipt    once the response is sent, if the request succeeded: stores the receipt document
//	notify     after the receipt: tells the partner, and again if it is away
//	alert      once the response is sent, if the request failed
//
// Orders are held in memory, the latest [Config].Keep of them: a restart forgets them. Receipts stay in their directory.
//
// With [Service.OpenDatabase] orders are in a database, each with a stored task in the same transaction, which takes the
// place of the last two but one: a crash loses neither.
//
//	deliver    in this process or another, also after a crash: stores the receipt document, then tells the partner
package orders
