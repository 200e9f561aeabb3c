using System.Globalization;

namespace Hami.Domain.Binding;

/// <summary>
/// HAMi's lock on a node, the annotation <c>hami.io/mutex.lock</c>: whose bind its device plugin is to serve next. It is
/// <c>RFC 3339 time,namespace,pod</c>; older plugins know the bare time.
/// </summary>
/// <param name="Namespace">Empty in the older form.</param>
/// <param name="Pod">Empty in the older form.</param>
public sealed record NodeLock(DateTimeOffset At, string Namespace, string Pod)
{
    private const string Form = "yyyy-MM-dd'T'HH:mm:ss";
    private static readonly string[] Forms = [$"{Form}'Z'", $"{Form}zzz", $"{Form}.FFFFFFF'Z'", $"{Form}.FFFFFFFzzz"];

    /// <summary>False for the older form, which does not say whose it is.</summary>
    public bool NamesHolder => Pod.Length > 0;

    public string Encode() => string.Create(CultureInfo.InvariantCulture, $"{At.ToUniversalTime().ToString($"{Form}'Z'", CultureInfo.InvariantCulture)},{Namespace},{Pod}");

    /// <summary>Reads the annotation; null when it is in neither form.</summary>
    public static NodeLock? TryParse(string text)
    {
        var parts = text.Split(',');
        if (parts.Length is not (1 or 3) || (parts.Length == 3 && (parts[1].Length == 0 || parts[2].Length == 0)))
            return null;
        return DateTimeOffset.TryParseExact(parts[0], Forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            ? new(at, parts.Length == 3 ? parts[1] : "", parts.Length == 3 ? parts[2] : "")
            : null;
    }

    public bool IsHeldBy(string @namespace, string pod) => NamesHolder && Namespace == @namespace && Pod == pod;

    /// <summary>May a bind of this pod that failed take the annotation away? Its own it may, and one that names nobody.</summary>
    public static bool MayClear(string text, string @namespace, string pod) =>
        TryParse(text) is { } found && (!found.NamesHolder || found.IsHeldBy(@namespace, pod));
}

/// <summary>What a bind does about a node's lock.</summary>
public enum NodeLockStep
{
    /// <summary>Write one's own, over what stands there if anything does.</summary>
    Take,

    /// <summary>It is this pod's already.</summary>
    Own,

    /// <summary>Somebody else's turn.</summary>
    Wait,

    /// <summary>Somebody else's turn if that pod still exists.</summary>
    AskForHolder,
}

/// <summary>Whose turn is it on a node whose device plugin speaks HAMi's lock?</summary>
public static class NodeLockDecider
{
    /// <summary>The next step of a bind that wants the node.</summary>
    /// <param name="text">The annotation; null when absent.</param>
    /// <param name="unchangedFor">How long this very text has been seen there; a text that says no usable time is judged by it.</param>
    /// <param name="holderExists">Whether the pod it names exists; null when not yet asked.</param>
    /// <param name="expiry">Age at which another's lock no longer counts.</param>
    public static NodeLockStep Decide(
        string? text, string @namespace, string pod, DateTimeOffset now, TimeSpan unchangedFor, bool? holderExists, TimeSpan expiry)
    {
        if (text is null)
            return NodeLockStep.Take;
        var found = NodeLock.TryParse(text);
        // HAMi waits for ever for a text that it cannot read.
        if (unchangedFor > expiry || (found is not null && now - found.At > expiry))
            return NodeLockStep.Take;
        if (found is not { NamesHolder: true })
            return NodeLockStep.Wait;
        if (found.IsHeldBy(@namespace, pod))
            return NodeLockStep.Own;
        return holderExists switch
        {
            null => NodeLockStep.AskForHolder,
            false => NodeLockStep.Take,
            true => NodeLockStep.Wait,
        };
    }
}
