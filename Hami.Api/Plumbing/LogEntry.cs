using System.Collections.Concurrent;
using System.Text.Json;
using Hami.Domain.Ledger;
using Marten;

namespace Hami.Api.Plumbing;

/// <summary>An event that was decided, as it will stand in the log.</summary>
/// <param name="Type">The name it is stored under.</param>
/// <param name="DotNetType">The name Marten keeps beside it.</param>
/// <param name="Json">Its body.</param>
/// <param name="Hash">Its hash in the chain.</param>
internal sealed record LogEntry(string Stream, object Event, string Type, string DotNetType, string Json, string Hash)
{
    /// <summary>What stands beside the body.</summary>
    public string Headers => AllocationIds.Of(Event) is { } allocation ? $$"""{"hash":"{{Hash}}","allocationId":"{{allocation}}"}""" : $$"""{"hash":"{{Hash}}"}""";
}

/// <summary>Writes events down as the event store keeps them.</summary>
internal sealed class LogEntries(ISerializer serializer)
{
    private readonly ConcurrentDictionary<Type, (string Name, string DotNetName)> _types = [];

    /// <summary>The entry that follows one with that hash.</summary>
    /// <exception cref="InvalidOperationException">PostgreSQL cannot store it.</exception>
    public LogEntry After(string hash, DateTimeOffset at, string stream, object happened)
    {
        var (type, dotNetType) = _types.GetOrAdd(happened.GetType(), t => (EventTypes.Today.NameOf(t), $"{t.FullName}, {t.Assembly.GetName().Name}"));
        var json = serializer.ToCleanJson(happened);
        if (HoldsNul(json))
            throw new InvalidOperationException("The event holds a NUL character, which PostgreSQL cannot store.");
        using var body = JsonDocument.Parse(json);
        return new(stream, happened, type, dotNetType, json, EventHash.Of(hash, at, stream, type, body.RootElement));
    }

    private static bool HoldsNul(string json)
    {
        const string Nul = @"\u0000";
        for (var at = json.IndexOf(Nul, StringComparison.Ordinal); at >= 0; at = json.IndexOf(Nul, at + 1, StringComparison.Ordinal))
        {
            // After a backslash of its own it is text.
            var backslashes = 0;
            while (json[at - 1 - backslashes] == '\\')
                backslashes++;
            if (backslashes % 2 == 0)
                return true;
        }
        return false;
    }
}
