using System.Text;
using k8s.Models;

namespace Hami.Lab.Kubelet.Lifecycle;

/// <summary>A container's last words: what it wrote to its termination log, or the end of its log when it failed and asked for that.</summary>
internal static class TerminationMessage
{
    // kubelet: MaxContainerTerminationMessageLength, MaxContainerTerminationMessageLogLength and …Lines.
    private const int Longest = 4096;
    private const int LongestFromLog = 2048;
    private const int LinesFromLog = 80;

    public const string DefaultPath = "/dev/termination-log";

    /// <summary>Null when there are none.</summary>
    public static string? Read(V1Container container, string file, string logFile, int exitCode)
    {
        var message = End(file, Longest, int.MaxValue);
        if (message.Length == 0 && exitCode != 0 && container.TerminationMessagePolicy == "FallbackToLogsOnError")
            message = End(logFile, LongestFromLog, LinesFromLog);
        return message.Length == 0 ? null : message;
    }

    private static string End(string file, int bytes, int lines)
    {
        try
        {
            // The container may have put something else in its place: nothing that lies elsewhere is published, and no pipe is waited for.
            if (new FileInfo(file) is { LinkTarget: not null } or { Length: 0 })
                return "";
            using var text = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var from = Math.Max(lines == int.MaxValue ? 0 : ContainerLogs.TailStart(text, lines), text.Length - bytes);
            text.Position = from;
            var buffer = new byte[text.Length - from];
            return Encoding.UTF8.GetString(buffer, 0, text.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return "";
        }
    }
}
