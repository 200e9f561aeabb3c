using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Ports of containers, and of the node where they take them.</summary>
internal static class PortChecks
{
    private const int Highest = 65535;

    public static void Check(JsonNode? ports, string at, Causes causes)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (port, here) in ports.Numbered(at))
        {
            if (port.TextAt("name") is { Length: > 0 } name)
            {
                var wrong = Formats.PortName(name).ToArray();
                causes.Invalid($"{here}.name", name, wrong);
                if (wrong.Length == 0 && !names.Add(name))
                    causes.Duplicate($"{here}.name", name);
            }
            if ((port.NumberAt("containerPort") ?? 0) == 0)
                causes.Required($"{here}.containerPort");
            else
                causes.InRange(port, "containerPort", here, 1, Highest);
            if (HostPort(port) != 0)
                causes.InRange(port, "hostPort", here, 1, Highest);
            causes.OneOf(port, "protocol", here, "SCTP", "TCP", "UDP");
        }
    }

    /// <summary>A port as a number or as the name of one.</summary>
    public static void CheckNumberOrName(JsonNode? port, string at, Causes causes)
    {
        if (port is JsonValue value && value.TryGetValue<string>(out var name))
            causes.Invalid(at, name, Formats.PortName(name));
        else if ((port is null ? 0 : long.Parse(port.ToJsonString())) is var number and (< 1 or > Highest))
            causes.Invalid(at, number, Formats.Between(1, Highest));
    }

    /// <summary>No two containers of a pod can have the same port of the node.</summary>
    public static void CheckConflicts(IEnumerable<(JsonObject Container, string At)> containers, Causes causes)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (port, at) in containers.SelectMany(c => c.Container["ports"].Numbered($"{c.At}.ports")).Where(p => HostPort(p.Item) != 0))
        {
            var key = $"{port.TextAt("protocol")}/{port.TextAt("hostIP")}/{HostPort(port)}";
            if (!taken.Add(key))
                causes.Duplicate($"{at}.hostPort", key);
        }
    }

    /// <summary>In the node's own network a container's port is the node's.</summary>
    public static void CheckHostNetwork(JsonObject spec, string at, bool inPod, Causes causes)
    {
        if (!spec.FlagAt("hostNetwork"))
            return;
        foreach (var (port, here) in spec["containers"].Numbered($"{at}.containers").SelectMany(c => c.Item["ports"].Numbered($"{c.At}.ports")))
        {
            if ((inPod || HostPort(port) != 0) && HostPort(port) != (port.NumberAt("containerPort") ?? 0))
                causes.Invalid($"{here}.hostPort", HostPort(port), "must match `containerPort` when `hostNetwork` is true");
        }
    }

    private static long HostPort(JsonObject port) => port.NumberAt("hostPort") ?? 0;
}
