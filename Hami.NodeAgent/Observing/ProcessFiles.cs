using System.Buffers.Text;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Hami.NodeAgent.Observing;

/// <summary>The container that the kernel says a process is in.</summary>
internal readonly record struct CgroupOwner(string PodUid, string ContainerId);

/// <summary>What the kernel tells of the node's processes: the agent must run in the node's pid namespace (<c>hostPID</c>).</summary>
internal sealed class ProcessFiles(string root)
{
    // The kernel's PROC_PID_INIT_INO.
    private const string NodeNamespace = "pid:[4026531836]";

    private readonly byte[] text = new byte[4096];
    private readonly Lock gate = new();
    private Dictionary<int, (long StartTicks, CgroupOwner? Owner)> known = [];
    private Dictionary<int, (long StartTicks, CgroupOwner? Owner)> asked = [];

    /// <summary>Whether its pids are the node's, so that one that is not there is nowhere.</summary>
    public bool SeesNode { get; } = new FileInfo($"{root}/self/ns/pid").LinkTarget == NodeNamespace;

    /// <summary>When a process was started, in ticks since the machine's start; null when there is none, or only what is left of one.</summary>
    public long? StartTicks(int pid)
    {
        lock (gate)
            return ProcessText.StartTicks(Read($"{root}/{pid}/stat"));
    }

    /// <summary>In which container of which pod a process is; null for one of the node's own.</summary>
    public CgroupOwner? Owner(int pid)
    {
        lock (gate)
        {
            if (ProcessText.StartTicks(Read($"{root}/{pid}/stat")) is not { } ticks)
                return null;
            if (!known.TryGetValue(pid, out var entry) || entry.StartTicks != ticks)
                entry = (ticks, ProcessText.Owner(Read($"{root}/{pid}/cgroup")));
            asked[pid] = entry;
            return entry.Owner;
        }
    }

    /// <summary>The same, asked of the kernel now.</summary>
    public CgroupOwner? OwnerNow(int pid)
    {
        lock (gate)
            return ProcessText.Owner(Read($"{root}/{pid}/cgroup"));
    }

    /// <summary>What was not asked for since the last time is forgotten.</summary>
    public void Forget()
    {
        lock (gate)
        {
            (known, asked) = (asked, known);
            asked.Clear();
        }
    }

    private ReadOnlySpan<byte> Read(string path)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path);
            var filled = 0;
            for (int read; filled < text.Length && (read = RandomAccess.Read(file, text.AsSpan(filled), filled)) > 0; filled += read)
            {
                // Until its end.
            }
            return text.AsSpan(0, filled);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

/// <summary>Reads proc(5).</summary>
internal static class ProcessText
{
    /// <summary>From <c>stat</c>: fields 3, 20 and 22. The name before them may hold spaces and brackets.</summary>
    public static long? StartTicks(ReadOnlySpan<byte> stat)
    {
        var rest = stat[(stat.LastIndexOf((byte)')') + 1)..];
        var (state, threads) = ((byte)0, 0L);
        for (var field = 3; ; field++)
        {
            rest = rest.TrimStart((byte)' ');
            if (rest.IsEmpty)
                return null;
            var end = rest.IndexOf((byte)' ') is >= 0 and var space ? space : rest.Length;
            if (field == 3)
                state = rest[0];
            else if (field == 20)
                _ = Utf8Parser.TryParse(rest[..end], out threads, out _);
            else if (field == 22)
            {
                // A zombie has given its memory back, unless only its first thread ended.
                var isOver = state is (byte)'X' or (byte)'x' || (state is (byte)'Z' && threads <= 1);
                return !isOver && Utf8Parser.TryParse(rest[..end], out long ticks, out _) ? ticks : null;
            }
            rest = rest[end..];
        }
    }

    /// <summary>
    /// From <c>cgroup</c>, either version and either driver of the kubelet: <c>…/pod&lt;uid&gt;/&lt;id&gt;</c>, or
    /// <c>…-pod&lt;uid_with_underscores&gt;.slice/cri-containerd-&lt;id&gt;.scope</c>.
    /// </summary>
    public static CgroupOwner? Owner(ReadOnlySpan<byte> cgroup)
    {
        foreach (var line in cgroup.Split((byte)'\n'))
        {
            var path = Encoding.UTF8.GetString(cgroup[line]);
            var parts = path[(path.LastIndexOf(':') + 1)..].Split('/');
            for (var i = 0; i + 1 < parts.Length; i++)
                if (PodUid(parts[i]) is { } uid && ContainerId(parts[i + 1]) is { } id)
                    return new(uid, id);
        }
        return null;
    }

    private static string? PodUid(string part)
    {
        var name = part.EndsWith(".slice", StringComparison.Ordinal) ? part[..^6] : part;
        var at = name.StartsWith("pod", StringComparison.Ordinal) ? 3 : name.LastIndexOf("-pod", StringComparison.Ordinal) is >= 0 and var dash ? dash + 4 : -1;
        return at < 0 || at == name.Length ? null : name[at..].Replace('_', '-');
    }

    // 64 hexadecimal digits, with the runtime's name before them and the systemd unit's kind behind.
    private static string? ContainerId(string part)
    {
        var name = part.EndsWith(".scope", StringComparison.Ordinal) ? part[..^6] : part;
        name = name[(name.LastIndexOf('-') + 1)..];
        name = name[(name.LastIndexOf(':') + 1)..];
        return name.Length >= 12 && name.All(char.IsAsciiHexDigit) ? name : null;
    }
}
