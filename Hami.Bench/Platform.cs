using System.Runtime.Versioning;

// The lab preloads ELF libraries and speaks over unix sockets.
[assembly: UnsupportedOSPlatform("windows")]
