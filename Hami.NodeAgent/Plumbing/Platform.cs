using System.Runtime.Versioning;

// Unix sockets with credentials, file modes: the kubelet's own world.
[assembly: UnsupportedOSPlatform("windows")]
