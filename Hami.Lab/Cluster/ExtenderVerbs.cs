using System.CommandLine;
using System.Diagnostics.CodeAnalysis;

namespace Hami.Lab.Cluster;

/// <summary>Who has the last word on a pod's node.</summary>
public enum ExtenderMode
{
    /// <summary>The extender: it answers a filter with one node.</summary>
    [SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "HAMi on events calls its mode so.")]
    Single,

    /// <summary>The scheduler: the extender answers with all nodes that fit, and its ranking counts beside the scheduler's own.</summary>
    Score,
}

/// <summary>What the scheduler asks the extender beside <c>filter</c> and <c>bind</c>.</summary>
/// <param name="Mode">With <see cref="ExtenderMode.Score"/> also <c>prioritize</c>.</param>
/// <param name="Preempts">Also <c>preempt</c>: whom a more important pod may remove.</param>
public sealed record ExtenderVerbs(ExtenderMode Mode = ExtenderMode.Single, bool Preempts = false)
{
    public string? Prioritize => Mode is ExtenderMode.Score ? "prioritize" : null;

    public string? Preempt => Preempts ? "preempt" : null;
}

/// <summary>The options of a verb that chooses them.</summary>
internal sealed class ExtenderVerbsOptions
{
    private readonly Option<string> _mode = new("--extender-mode")
    {
        Description = "single: the extender answers with one node. score: with all that fit, and ranks them, so that the scheduler's own preferences count too; start hami-api with the same.",
        DefaultValueFactory = _ => "single",
    };

    private readonly Option<bool> _preempt = new("--preempt") { Description = "Ask the extender whom a more important pod may remove." };

    public ExtenderVerbsOptions() => _mode.AcceptOnlyFromAmong("single", "score");

    public void AddTo(Command command)
    {
        command.Options.Add(_mode);
        command.Options.Add(_preempt);
    }

    public ExtenderVerbs Read(ParseResult parsed) => new(parsed.GetValue(_mode) == "score" ? ExtenderMode.Score : ExtenderMode.Single, parsed.GetValue(_preempt));
}
