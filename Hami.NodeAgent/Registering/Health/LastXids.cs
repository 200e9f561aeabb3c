using System.Collections.Concurrent;

namespace Hami.NodeAgent.Registering.Health;

/// <summary>The last error of each card that its driver told of since this agent listens, whether or not it counts against the card.</summary>
internal sealed class LastXids
{
    private readonly ConcurrentDictionary<string, int> last = new(StringComparer.Ordinal);

    /// <summary>Its number; 0 for none, null when nobody listens to the card.</summary>
    public int? Of(string uuid) => last.TryGetValue(uuid, out var number) ? number : null;

    /// <summary>The card's errors are listened to from now on.</summary>
    public void Listen(string uuid) => last.TryAdd(uuid, 0);

    public void Hear(string uuid, int number) => last[uuid] = number;
}
