package otelpool

// ObserveOf is Observe of numbers that come from elsewhere.
var ObserveOf = observe
