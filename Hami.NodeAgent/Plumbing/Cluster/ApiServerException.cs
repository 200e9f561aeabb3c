using System.Net;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>The API server refused; the message is its own.</summary>
internal sealed class ApiServerException(HttpStatusCode status, string message) : Exception(message)
{
    public HttpStatusCode Status => status;
}
