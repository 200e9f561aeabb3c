using System.Runtime.Versioning;

// As Hami.Lab, which most wide tests start.
[assembly: UnsupportedOSPlatform("windows")]
