namespace Hami.Lab.Demo;

/// <summary>What is meant to become of a workload.</summary>
internal enum Outcome
{
    Runs,
    StaysPending,
}

/// <summary>One workload of the article and what it must come to.</summary>
/// <param name="Name">The pod's name and the workload's.</param>
/// <param name="File">Its YAML in deploy/examples.</param>
/// <param name="Outcome">What becomes of it.</param>
/// <param name="Expected">The same for people.</param>
internal sealed record Workload(string Name, string File, Outcome Outcome, string Expected)
{
    /// <summary>How many different cards it gets.</summary>
    public int Cards { get; init; }

    /// <summary>MiB of each card; when null, <see cref="MemoryPercent"/> says it.</summary>
    public long? MemoryMiB { get; init; }

    /// <summary>Percent of each card's registered memory.</summary>
    public int MemoryPercent { get; init; } = 100;

    /// <summary>Percent of each card's compute that is reserved; 0 for none in particular.</summary>
    public int Cores { get; init; }

    /// <summary>Its cards are of one of these models (a part of the name); empty for any.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Its cards are among these; empty for any.</summary>
    public IReadOnlyList<string> Uuids { get; init; } = [];

    /// <summary>What its instances are, each of one card's; null for shares of cards.</summary>
    public string? MigProfile { get; init; }

    /// <summary>The only model it may be on, which the demo adds to its annotations; null for what its file says.</summary>
    public string? OnlyModel { get; init; }

    /// <summary>Why it stays Pending, as GraphQL counts it.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Why it stays Pending, as the pod's condition must say it.</summary>
    public string InWords { get; init; } = "";

    public long MemoryOf(long cardMiB) => MemoryMiB ?? cardMiB * MemoryPercent / 100;
}
