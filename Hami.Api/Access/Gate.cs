using Microsoft.Net.Http.Headers;

namespace Hami.Api.Access;

/// <summary>Finds out who asks, and what they may see.</summary>
internal interface IGate
{
    /// <summary>Who asks, and what they may see.</summary>
    /// <exception cref="AccessRefusedException">It is not known who asks.</exception>
    ValueTask<Viewer> AdmitAsync(HttpContext http);
}

/// <summary>Nobody is let in; the message says why in one sentence, and holds nothing of the token.</summary>
/// <param name="status">The HTTP status that says the same.</param>
internal sealed class AccessRefusedException(int status, string message, Exception? inner = null) : Exception(message, inner)
{
    public int Status { get; } = status;
}

/// <summary>Everybody sees all; for a lab.</summary>
internal sealed class OpenGate : IGate
{
    private static readonly Viewer Anybody = new("anybody", Scope.Everything);

    public ValueTask<Viewer> AdmitAsync(HttpContext http) => new(Anybody);
}

/// <summary>The token a request carries in its header, the only place where one is looked for: addresses end up in logs.</summary>
internal static class BearerToken
{
    private const string Prefix = "Bearer ";

    /// <summary>The bearer token of a request.</summary>
    /// <exception cref="AccessRefusedException">There is none.</exception>
    public static string Of(HttpRequest request)
    {
        var header = request.Headers[HeaderNames.Authorization].ToString();
        return header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && header[Prefix.Length..].Trim() is { Length: > 0 } token
            ? token
            : throw new AccessRefusedException(
                StatusCodes.Status401Unauthorized, "say who you are: send the header \"Authorization: Bearer TOKEN\", with a token as kubectl create token gives it");
    }
}
