using System.Text;

namespace Hami.Lab.Kubelet;

/// <summary>Where a kubelet keeps its things, named as on a real node.</summary>
internal sealed class KubeletPaths
{
    // sockaddr_un.sun_path has 108 bytes, the last one is NUL.
    private const int LongestSocketPath = 107;

    private KubeletPaths(string root) => Root = root;

    public string Root { get; }

    public string Plugins => Path.Combine(Root, "device-plugins");

    public string KubeletSocket => Path.Combine(Plugins, "kubelet.sock");

    public string Checkpoint => Path.Combine(Plugins, "kubelet_internal_checkpoint");

    public string PodResourcesSocket => Path.Combine(Root, "pod-resources", "kubelet.sock");

    /// <summary>Makes the folders. Throws when a socket's path would be too long.</summary>
    public static KubeletPaths Create(string directory)
    {
        var paths = new KubeletPaths(Path.GetFullPath(directory));
        foreach (var socket in new[] { paths.KubeletSocket, paths.PodResourcesSocket })
            EnsureShort(socket);
        foreach (var folder in new[] { paths.Plugins, Path.GetDirectoryName(paths.PodResourcesSocket)!, paths.Pods, paths.Pids, paths.Logs })
            Directory.CreateDirectory(folder);
        return paths;
    }

    /// <summary>Throws when a unix socket cannot have this path.</summary>
    public static void EnsureShort(string socket)
    {
        var bytes = Encoding.UTF8.GetByteCount(socket);
        if (bytes > LongestSocketPath)
        {
            throw new ArgumentException(
                $"The kubelet's directory is too long: the socket {socket} would have {bytes} bytes, a unix socket's path may have {LongestSocketPath}. Choose a shorter directory.",
                nameof(socket));
        }
    }

    public string Pods => Path.Combine(Root, "pods");

    public string Logs => Path.Combine(Root, "logs");

    public string Run(string podUid) => Path.Combine(Pods, podUid);

    /// <summary>Out of the containers' reach: they may write and remove what they like in their run directory.</summary>
    public string Pids => Path.Combine(Root, "pids");

    public string PidFile(string podUid, string container) => Path.Combine(Pids, $"{podUid}.{container}.pid");

    public string TerminationLog(string podUid, string container, int restart) => Path.Combine(Run(podUid), "termination", $"{container}.{restart}");

    /// <summary>The log of one start of a container.</summary>
    public string Log(string @namespace, string pod, string podUid, string container, int restart) =>
        Path.Combine(Logs, $"{@namespace}_{pod}_{podUid}", container, $"{restart}.log");

    /// <summary>Whose logs lie in the folder.</summary>
    public static string LogsOwner(string folder) => folder[(folder.LastIndexOf('_') + 1)..];
}
