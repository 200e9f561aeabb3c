namespace Hami.Domain.Ledger;

/// <summary>An ordinary "no": a word that dashboards count, and a sentence a person can act on.</summary>
public sealed record Refusal(string Reason, string Sentence);

/// <summary>What a decider answers: events to append (none when all is done already), or a refusal.</summary>
public sealed record Verdict<TEvent>(IReadOnlyList<TEvent> Events, Refusal? Refusal) where TEvent : notnull
{
    /// <summary>Nothing left to do: the command was carried out before.</summary>
    public static readonly Verdict<TEvent> Nothing = new([], null);

    public static implicit operator Verdict<TEvent>(TEvent happened) => new([happened], null);

    public static implicit operator Verdict<TEvent>(Refusal refusal) => new([], refusal);
}
