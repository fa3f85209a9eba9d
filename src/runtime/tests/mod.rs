mod simulation;
mod streams;
